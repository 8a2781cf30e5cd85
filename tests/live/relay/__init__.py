"""Live tests of the relay."""
