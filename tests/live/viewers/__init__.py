"""Live tests of the viewers, in Chromium."""
