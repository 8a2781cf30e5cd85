"""Tests of streamrelay/client."""
