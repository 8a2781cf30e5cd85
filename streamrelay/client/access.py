"""Access to platform and relay, as a command's options and the environment say."""

import argparse
import os
import re
import shlex
import stat
from functools import partial
from typing import Any

from streamrelay.client.outbound_options import choose_outbound
from streamrelay.errors import ConfigError
from streamrelay.protocol.names import is_loopback


def api(arguments: argparse.Namespace, reactor: Any) -> Any:
    from urllib.parse import urlsplit

    from streamrelay.client.platform_api import PlatformApi
    from streamrelay.protocol.names import PREFIX

    if not arguments.platform:
        raise ConfigError("no platform is set; give --platform URL, or set STREAMRELAY_PLATFORM in the environment")
    if "@" in arguments.platform or PREFIX in arguments.platform:
        raise ConfigError("--platform: the URL must not contain a password; give the key in a file (--key-file)")
    try:
        parts = urlsplit(arguments.platform)
        fits = bool(parts.hostname) and parts.port != 0 and not re.search("[?#]", arguments.platform)
    except ValueError:
        fits = False
    if fits and parts.scheme in ("ws", "wss"):
        raise ConfigError(f"{arguments.platform} is a relay's URL; that of the platform begins with https://")
    if not fits or parts.scheme not in ("http", "https"):
        raise ConfigError(f"--platform {arguments.platform}: expected https://host[:port]")
    if parts.scheme == "http" and not is_loopback(parts.hostname) and not arguments.insecure:
        raise ConfigError(f"{arguments.platform} is not encrypted; use https:// or --insecure")
    key, outbound = read_key(arguments.key_file), choose_outbound(arguments)
    renewed = partial(_renewed, arguments.key_file)
    return PlatformApi(reactor, arguments.platform, key, arguments.ca, outbound, renewed)


def read_key(path: str) -> str:
    """Return the user's key, from a file that nobody else may read or from the environment; empty if there is none."""
    from streamrelay.files import open_file
    from streamrelay.protocol.names import PREFIX

    if not path:
        return _sendable(os.environ.get("STREAMRELAY_KEY", ""), "STREAMRELAY_KEY")
    if path.startswith(PREFIX):
        raise ConfigError("--key-file: a key itself can't be given here, where all can see it; revoke it")
    try:
        with open_file(path) as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode) and stat.S_IMODE(mode) & 0o077:
                raise ConfigError(f"{path}: others may read this key; run: chmod 600 {shlex.quote(path)}")
            key = file.read(4096).decode("utf-8-sig").strip()  # editors put a byte order mark first
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from None
    except UnicodeDecodeError:  # its words tell a byte of what may be a key
        raise ConfigError(f"{path}: no key is in there; expected UTF-8") from None
    if not key:
        raise ConfigError(f"{path}: this file holds no key")
    return _sendable(key, path)


def _renewed(path: str) -> str:
    """Return the key of a file that may have been written anew since it was read; empty if there is none now."""
    try:
        return read_key(path)
    except ConfigError:
        return ""


def _sendable(key: str, where: str) -> str:
    """Return a key that a header can hold, or raise `ConfigError`."""
    if not re.fullmatch("[!-~]*", key):
        raise ConfigError(f"{where}: no key has such characters; expected one line of ASCII without blanks")
    return key


def dialler(arguments: argparse.Namespace, reactor: Any, outbound: Any) -> Any:
    """Make what dials the relay; `outbound` is that of the platform's API."""
    from streamrelay.datapath.heartbeat import Heartbeat
    from streamrelay.websocket.client import Dialler

    always = arguments.mask == "always"
    return Dialler(reactor, Heartbeat(reactor), arguments.ca or None, always, arguments.insecure, outbound=outbound)


def known_relay(arguments: argparse.Namespace) -> Any:
    """Return the `KnownRelay` of the platform."""
    from streamrelay.client.known_relay import NOWHERE, KnownRelay, cache_file

    return KnownRelay(arguments.platform.rstrip("/"), cache_file()) if arguments.early_dial else NOWHERE
