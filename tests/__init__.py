"""The tests of streamrelay; `python -m twisted.trial tests` runs them."""
