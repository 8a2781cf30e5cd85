"""Tests of channels of one stream."""
