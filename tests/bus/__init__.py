"""Tests of streamrelay/bus."""
