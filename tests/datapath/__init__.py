"""Tests of streamrelay/datapath."""
