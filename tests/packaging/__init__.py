"""Tests of the build, and of the wheel."""
