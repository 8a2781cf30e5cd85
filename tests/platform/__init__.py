"""Tests of streamrelay/platform."""
