"""The agent: connects targets of its host to a relay when it is summoned."""
