"""Targets that are log files, with those that rotation has put beside them."""
