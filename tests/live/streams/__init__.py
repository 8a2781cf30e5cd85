"""Live tests of streams through the whole chain."""
