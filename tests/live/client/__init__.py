"""Live tests of the native client."""
