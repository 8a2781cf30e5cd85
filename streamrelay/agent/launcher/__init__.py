"""The launcher: a process that stays root and starts what runs for a client as its target's user."""
