"""Tests of streamrelay/web."""
