"""Tests of streamrelay/platform/auth."""
