"""Benchmarks of the relay against others of its kind: ``python -m bench`` writes docs/benchmarks.rst."""
