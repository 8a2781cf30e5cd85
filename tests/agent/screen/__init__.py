"""Tests of the model of a screen."""
