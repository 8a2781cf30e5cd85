"""Tests of the demo that start nothing."""
