"""Live tests of the console page, in Chromium."""
