"""Options of the native client for an outbound proxy."""

import argparse
import os
from typing import Any

from streamrelay.client.output import say
from streamrelay.errors import ConfigError


def add_outbound(command: argparse.ArgumentParser) -> None:
    """Add the options to a command."""
    command.add_argument(
        "--outbound-proxy",
        metavar="URL",
        default="",
        help="dial by this proxy, http://host:port or socks5://host:port, or by none (default: as HTTPS_PROXY, "
        "ALL_PROXY and NO_PROXY say)",
    )
    command.add_argument(
        "--outbound-login", metavar="FILE", default="", help="a file with USER:PASSWORD for that proxy"
    )


def choose_outbound(arguments: argparse.Namespace) -> Any:
    """Return the `Outbound` that the options, or the environment, name, or raise `ConfigError`; say what it leaves
    out."""
    from streamrelay.net.outbound import Outbound

    if "@" in arguments.outbound_proxy:
        raise ConfigError(
            "--outbound-proxy: the process list would show who logs in; use --outbound-login, or HTTPS_PROXY in the "
            "environment"
        )
    outbound = Outbound.chosen(arguments.outbound_proxy, arguments.outbound_login, environment=os.environ)
    if outbound.doubt:
        say(f"left out of what is reached without the proxy: {outbound.doubt}")
    return outbound
