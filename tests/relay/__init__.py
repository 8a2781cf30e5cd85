"""Tests of streamrelay/relay."""
