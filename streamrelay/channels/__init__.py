"""Channels of one stream: many connections to one target through one pair of legs (protocol.rst, "Channels")."""
