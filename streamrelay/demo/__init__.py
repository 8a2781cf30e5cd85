"""The demo: all programs on one machine, with targets to look at."""
