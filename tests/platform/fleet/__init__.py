"""Tests of streamrelay/platform/fleet."""
