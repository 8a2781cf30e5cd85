"""Faults of the machine and of the programs themselves."""
