"""Fuzzing of everything that strangers send and of what operators write: ``python -m fuzz TARGET``.

Each module of `fuzz.targets` has a function that takes any bytes and raises if its invariant doesn't hold. They are
driven by atheris here, by hypothesis and by the inputs in ``corpus/`` in ``tests/test_fuzz.py``.
"""
