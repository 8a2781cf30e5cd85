"""Tests of streamrelay/agent/targets/sockets."""
