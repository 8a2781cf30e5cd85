"""Commands in pseudo-terminals."""
