"""Tests of streamrelay/program."""
