"""The promises of docs/reliability.rst: `python -m tests.reliability` runs their tests and writes what these measured.

`faults` has each fault with what is promised and the live test that shows it, `page` makes the page of them and of
`measured.json`, and tests/live/support/promise.py is by which a live test holds and records a promise.
"""
