"""What an agent may connect: a file a kind, each with an ``async def connect()`` that gives a connection to splice."""
