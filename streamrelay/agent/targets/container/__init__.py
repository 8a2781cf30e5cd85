"""Targets in containers: their logs, and commands run in them."""
