"""The bus: NATS, how a program logs in there, and what may be said on it by whom."""
