"""The reactor that all programs need: Twisted's asyncio reactor, with monotonic time."""

import asyncio
import concurrent.futures.thread  # noqa: F401  # for look-ups of names, which load it late (program/reach.py)
import sys
import time
from contextlib import suppress
from typing import Any

from twisted.internet import asyncioreactor
from twisted.internet.error import ReactorNotRunning
from twisted.python import usage


def install_reactor(fast: bool = False) -> None:
    """Install Twisted's asyncio reactor, with monotonic time, or refuse to go on with another.

    Twisted's timers follow the wall clock otherwise: after a step back of 12 s a timer of 5 s took 17.
    """
    if "twisted.internet.reactor" not in sys.modules:
        loop = _uvloop() if fast else asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        asyncioreactor.install(loop)
    reactor: Any = sys.modules["twisted.internet.reactor"]
    if not isinstance(reactor, asyncioreactor.AsyncioSelectorReactor):
        raise usage.UsageError(
            f"streamrelay needs Twisted's asyncio reactor, and {type(reactor).__name__} is installed already; "
            "leave --reactor out, or use --reactor asyncio"
        )
    reactor.seconds = time.monotonic


def _uvloop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def adopt_loop(reactor: Any) -> None:
    """Make the reactor's loop asyncio's current one again: a daemon's fork forgets it on Python 3.12 and later."""
    asyncio.set_event_loop(reactor._asyncioEventloop)


def stop_reactor(reactor: Any) -> None:
    """Stop a reactor, whoever else has asked it to stop already: the second `reactor.stop` raises."""
    with suppress(ReactorNotRunning):
        reactor.stop()
