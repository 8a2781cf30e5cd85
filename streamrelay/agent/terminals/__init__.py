"""Terminals that are kept: programs that outlive the streams by which they are used (protocol.rst)."""
