"""Tests of streamrelay/protocol."""
