"""Live tests of the JavaScript client."""
