"""Targets in systemd's journal."""
