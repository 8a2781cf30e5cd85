"""Live tests of the platform."""
