"""Tests of the installed programs: real processes, real sockets, as a user would start them.

They need what `./check` installs. A test whose program or right is missing is skipped by name.
"""
