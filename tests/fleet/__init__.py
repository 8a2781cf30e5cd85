"""A fleet under load: three relays, two platforms, a cluster of three NATS servers, and agents with 300 targets.

`python -m tests.fleet` opens 2,000 streams at 50 a second while one relay is drained, one is killed, and servers of
NATS are killed; tests/live/platform/test_fleet.py has less of each. Every byte is compared, both ways.
"""
