"""The programs in a simulated world: one seed decides over time, network and bus, and says what happens again.

``python -m tests.simulation --schedules N [--seed S]``; CONTRIBUTING.rst tells how to read what it prints.
"""
