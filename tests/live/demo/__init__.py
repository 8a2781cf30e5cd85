"""Live tests of the demo."""
