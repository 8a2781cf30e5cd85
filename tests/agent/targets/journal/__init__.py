"""Tests of streamrelay/agent/targets/journal."""
