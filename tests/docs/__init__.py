"""Tests of the documentation, and of the samples in etc/."""
