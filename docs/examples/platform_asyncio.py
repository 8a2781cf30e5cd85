"""A platform in a few lines of asyncio: opens one stream and prints what its target says.

    python platform_asyncio.py RELAY NATS KEY HOST TARGET

for example against a chain on this machine:

    python platform_asyncio.py ws://127.0.0.1:8780 nats://127.0.0.1:4222 platform.key web-1 log

It needs the package `websockets` for the client's side; the platform's side needs streamrelay alone. For TLS with a CA
of your own, set SSL_CERT_FILE.
"""

import asyncio
import sys

from websockets.asyncio.client import connect

from streamrelay.platform import Platform, Refused


async def wait_for(platform: Platform, host: str) -> None:
    """Wait until NATS is connected and the host is up; a program that runs for long doesn't need to."""
    for _ in range(50):
        try:
            if any(info.host == host for info in await platform.hosts()):
                return
        except Refused:
            pass
        await asyncio.sleep(0.2)
    raise SystemExit(f"{host} is not up")


async def main(relay: str, nats: str, key: str, host: str, target: str) -> None:
    platform = Platform(relay=relay, nats=(nats,), key=key)
    platform.start()
    try:
        await wait_for(platform, host)
        # Here your program decides whether its user may have this. Nobody else asks.
        try:
            opened = await platform.open("an example", host, target)
        except Refused as refused:
            raise SystemExit(f"{refused.code}: {refused}") from None
        print(f"stream {opened.stream}, a {opened.kind}", file=sys.stderr)

        # What a browser would do with opened.url. Binary messages are the stream's bytes, text is control messages.
        async with connect(opened.url, subprotocols=["streamrelay.v1"], compression=None) as websocket:
            async for message in websocket:
                if isinstance(message, bytes):
                    sys.stdout.buffer.write(message)
                    sys.stdout.flush()
        print(f"ended with {websocket.close_code} {websocket.close_reason}", file=sys.stderr)
    finally:
        await platform.stop()


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    try:
        asyncio.run(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        pass
