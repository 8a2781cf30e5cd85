"""Tests of streamrelay/net."""
