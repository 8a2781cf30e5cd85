"""The fleet: which hosts there are, what was last known of each, and what of that a user sees."""
