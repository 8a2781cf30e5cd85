"""The ``streamrelay`` command: connect, hosts, streams, terminals, relays, drain, end, keygen, key, host, relay."""

import argparse
import gc
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from streamrelay import __version__
from streamrelay.client.command_line import CommandParser, words
from streamrelay.client.descriptors import hold_standard_descriptors
from streamrelay.client.options import (
    add_connect,
    add_drain,
    add_end,
    add_hosts,
    add_relays,
    add_streams,
    add_terminals,
)
from streamrelay.client.output import OutputError, say, tell, untold
from streamrelay.client.statuses import BROKE, INTERRUPTED, USAGE
from streamrelay.errors import ConfigError

RELOAD: Final = "tell a running nats-server to read it: nats-server --signal reload=PIDFILE"


def main(argv: list[str] | None = None) -> None:
    """Run the ``streamrelay`` command and end the process with its status (`options.EXIT`)."""
    hold_standard_descriptors()
    gc.set_threshold(100_000)  # else it looks through all that is imported dozens of times
    try:
        arguments = parser().parse_args(argv)
        status = arguments.run(arguments)
    except ConfigError as error:
        say(str(error))
        status = USAGE
    except OutputError as error:
        status = untold(error.error)
    except KeyboardInterrupt:
        status = INTERRUPTED
    # Threads that wait for standard input would keep the interpreter from ending.
    os._exit(status)


def parser() -> argparse.ArgumentParser:
    root = CommandParser(
        prog="streamrelay",
        description="Reaches targets on firewalled hosts; makes the keys that this needs.",
        epilog="The programs themselves: twistd -n streamrelay, twistd streamagent, twistd -n streamplatform.",
    )
    root.add_argument("--version", action="version", version=f"streamrelay {__version__}")
    commands = root.add_subparsers(metavar="COMMAND", required=True)
    asking = (add_connect, add_hosts, add_streams, add_terminals, add_relays, add_drain, add_end)
    for add in (*asking, _add_keygen, _add_key, _add_host, _add_relay):
        add(commands)
    return root


def _add_keygen(commands: Any) -> None:
    keygen = commands.add_parser(
        "keygen",
        help="make a platform's key pair",
        description="Make a platform's key pair: the private key is for the platform alone, the public one for its "
        "relays and agents. Existing files are kept.",
    )
    keygen.add_argument("--private", default="platform.key", metavar="FILE", help="default: platform.key")
    keygen.add_argument("--public", default="platform.pub", metavar="FILE", help="default: platform.pub")
    keygen.set_defaults(run=run_keygen)


def _add_key(commands: Any) -> None:
    key = commands.add_parser("key", help="make, list and revoke keys of a platform's users")
    actions = key.add_subparsers(metavar="ACTION", required=True)
    add = actions.add_parser(
        "add",
        help="make a key and print it",
        description="Make a key, print it, and write its hash and its grants to the file.",
    )
    add.add_argument("name", metavar="NAME", type=words)
    _granting(add)
    add.set_defaults(run=run_key_add)
    listing = actions.add_parser("list", help="list the keys: name, day of making, grants")
    listing.set_defaults(run=run_key_list)
    revoke = actions.add_parser(
        "revoke",
        help="take a key back",
        description="Take a key out of the file. A running platform refuses it from its next request on, and ends its "
        "sessions; streams that are open go on.",
    )
    revoke.add_argument("name", metavar="NAME", type=words)
    revoke.set_defaults(run=run_key_revoke)
    for action in (add, listing, revoke):
        action.add_argument("--keys", default="keys.toml", metavar="FILE", help="default: keys.toml")


def _granting(add: argparse.ArgumentParser) -> None:
    """Add the options that say what a key may do."""
    add.add_argument(
        "--grant",
        action="append",
        metavar="HOST:TARGET",
        type=words,
        default=[],
        help="globs of what may be opened, for example 'web-*:log/*'; may be repeated",
    )
    add.add_argument(
        "--view",
        action="append",
        metavar="HOST:TARGET",
        type=words,
        default=[],
        help="the same for what may only be looked at",
    )
    for option, what in (("--share", "what may be opened"), ("--share-view", "what may only be looked at")):
        add.add_argument(
            option,
            action="append",
            metavar="HOST:TARGET",
            type=words,
            default=[],
            help=f"the same for {what}, kept terminals of other users among it",
        )
    add.add_argument(
        "--drain",
        action="append",
        metavar="RELAY",
        type=words,
        default=[],
        help="globs of relays that may be drained, for example 'fra-*'; may be repeated",
    )


def _add_host(commands: Any) -> None:
    _add_enrolling(
        *(commands, "host", "let hosts use the bus, and take them off it"),
        "make a host's key, its permissions, and its agent's settings",
        "Make an NKEY for a host, let it use the bus for itself alone, and write all that its agent needs to a folder.",
    )


def _add_relay(commands: Any) -> None:
    add = _add_enrolling(
        *(commands, "relay", "let relays use the bus, so that streams go by them, and take them off it"),
        "make a relay's key, its permissions, and its settings",
        "Make an NKEY for a relay, let it tell its own state on the bus and nothing else, and write its settings to a "
        "folder. The name is its id.",
    )
    add.add_argument("url", metavar="URL", type=words, help="its public URL: wss://host[:port][/prefix]")
    add.add_argument(
        "--zone", default="", type=words, metavar="ZONE", help="where it is; hosts of this zone get it before others"
    )


def _add_enrolling(commands: Any, what: str, use: str, adding: str, added: str) -> Any:
    """Add the commands for the users of the bus of one kind, and return the parser of the one that adds."""
    actions = commands.add_parser(what, help=use).add_subparsers(metavar="ACTION", required=True)
    description = f"{added} The first time the platform's own NKEY is made, too. Existing files are kept."
    add = actions.add_parser("add", help=adding, description=description)
    remove = actions.add_parser("remove", help=f"take a {what} off the bus; its folder stays")
    listing = actions.add_parser("list", help=f"list the {what}s that may use the bus, with their public keys")
    for action, run in ((add, run_enrol), (remove, run_expel), (listing, run_enrolled)):
        if action is not listing:
            action.add_argument("name", metavar="NAME", type=words)
        action.add_argument(
            "--users",
            default="nats-users.conf",
            metavar="FILE",
            help="what nats-server.conf includes (default: nats-users.conf)",
        )
        action.set_defaults(run=run, what=what)
    add.add_argument(
        "--config", default="platform.toml", metavar="FILE", help="the platform's settings (default: platform.toml)"
    )
    add.add_argument(
        "--nats",
        action="append",
        default=[],
        metavar="URL",
        type=words,
        help=f"the bus as {what}s reach it; may be repeated",
    )
    add.add_argument(
        f"--{what}s",
        dest="folders",
        default=f"{what}s",
        metavar="DIRECTORY",
        help=f"where its folder is made (default: {what}s)",
    )
    add.add_argument("--at", default="", metavar="DIRECTORY", help=f"where the folder will be on the {what}'s machine")
    return add


# -- commands that need no reactor -----------------------------------------------------------------------------


def run_keygen(arguments: argparse.Namespace) -> int:
    from streamrelay.protocol.tokens import generate

    kid = generate(Path(arguments.private), Path(arguments.public))
    tell(f"{arguments.private}: the private key {kid}, for the platform alone")
    tell(f"{arguments.public}: the public key, for its relays and agents")
    return 0


def _globs(option: str, text: str) -> tuple[str, str]:
    host, colon, target = text.partition(":")
    if not colon or not host or not target:
        raise ConfigError(f"{option} {text!r}: expected HOST:TARGET, for example 'web-*:*'")
    return host, target


def run_key_add(arguments: argparse.Namespace) -> int:
    from streamrelay.platform.auth.grants import Grant
    from streamrelay.platform.auth.key_file import add_key, revoke_key

    given = vars(arguments)
    grants = [
        Grant(*_globs(f"--{option.replace('_', '-')}", text), "view" in option, "share" in option)
        for option in ("grant", "view", "share", "share_view")
        for text in given[option]
    ]
    if not (grants or arguments.drain):
        raise ConfigError("no grants; give --grant HOST:TARGET, --view HOST:TARGET for view-only, or --drain RELAY")
    path = Path(arguments.keys)
    try:
        tell(add_key(path, arguments.name, grants, datetime.now(UTC).date(), drain=arguments.drain))
    except OutputError as error:
        revoke_key(path, arguments.name)
        say(f"standard output: {error.error.strerror}; {arguments.name} has no key, as nobody could have read it")
        return BROKE
    say(f"this is the only time that the key is shown; {arguments.keys} holds its hash")
    return 0


def run_enrol(arguments: argparse.Namespace) -> int:
    from streamrelay.platform import enrolment
    from streamrelay.platform.config import PlatformConfig
    from streamrelay.platform.relay_enrolment import relay_enrolment
    from streamrelay.program.settings import load

    settings = load(PlatformConfig, arguments.config, {})
    enrolled = enrolment.enrolment(settings, tuple(arguments.nats), arguments.at)
    if arguments.what == "relay":
        enrolled = relay_enrolment(enrolled, arguments.url, arguments.zone)
    users = enrolment.Users(Path(arguments.users))
    for line in enrolment.add(users, Path(arguments.folders), arguments.name, enrolled):
        tell(line)
    say(RELOAD)
    return 0


def run_expel(arguments: argparse.Namespace) -> int:
    from streamrelay.platform import enrolment

    enrolment.remove(enrolment.Users(Path(arguments.users)), arguments.name, arguments.what)
    say(RELOAD)
    return 0


def run_enrolled(arguments: argparse.Namespace) -> int:
    from streamrelay.platform import enrolment

    for user in enrolment.Users(Path(arguments.users)).read():
        if user.role == arguments.what:
            tell(f"{user.name}\t{user.nkey}")
    return 0


def run_key_list(arguments: argparse.Namespace) -> int:
    from streamrelay.platform.auth.key_file import list_keys

    for name, holder in list_keys(Path(arguments.keys)).items():
        grants = " ".join(map(_granted, holder.grants))
        drain = " ".join(f"{glob}(drain)" for glob in holder.drain)
        tell(f"{name}\t{holder.created or '-'}\t{' '.join(filter(None, (grants, drain)))}")
    return 0


def _granted(grant: Any) -> str:
    """Return a grant as `streamrelay key list` shows it."""
    words = ", ".join(word for word in ("view", "share") if getattr(grant, word))
    return f"{grant.host}:{grant.target}{f'({words})' if words else ''}"


def run_key_revoke(arguments: argparse.Namespace) -> int:
    from streamrelay.platform.auth.key_file import revoke_key

    revoke_key(Path(arguments.keys), arguments.name)
    say(f"the key of {arguments.name} is no longer in {arguments.keys}")
    return 0


if __name__ == "__main__":
    main()
