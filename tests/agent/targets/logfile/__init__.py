"""Tests of streamrelay/agent/targets/logfile."""
