"""Streams data out of firewalled hosts to web clients, without one open port on the host."""

__version__ = "0.1.0.dev0"
