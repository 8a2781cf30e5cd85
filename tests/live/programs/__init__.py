"""Live tests of programs as they are built, started and told wrong settings."""
