"""Fakes, by subject: what stands in for the world in tests without a network."""
