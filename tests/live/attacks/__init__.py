"""Attacks on running programs (docs/security.rst, "Attacks")."""
