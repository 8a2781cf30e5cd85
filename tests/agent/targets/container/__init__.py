"""Tests of streamrelay/agent/targets/container."""
