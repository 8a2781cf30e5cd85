"""Streams that outlive their legs: what both ends keep, count and confirm (protocol.rst, "Streams that resume")."""
