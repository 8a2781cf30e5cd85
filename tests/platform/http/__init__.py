"""Tests of streamrelay/platform/http."""
