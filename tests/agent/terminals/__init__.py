"""Tests of streamrelay/agent/terminals."""
