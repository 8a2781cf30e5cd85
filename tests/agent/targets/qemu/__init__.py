"""Tests of streamrelay/agent/targets/qemu."""
