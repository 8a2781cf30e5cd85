"""Targets behind TCP ports and unix sockets."""
