"""Tests of streamrelay/agent/targets/terminal."""
