"""Tests of streamrelay/agent/targets."""
