"""Targets that an agent may connect: a module a kind; ``async def connect()`` of each gives a connection to splice."""
