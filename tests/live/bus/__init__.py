"""Live tests of the bus."""
