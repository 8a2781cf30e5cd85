"""The whole chain under mixed load for minutes or hours, with restarts: ``python -m tests.soak --minutes N``."""
