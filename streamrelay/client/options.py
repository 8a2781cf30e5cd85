"""Options of the commands that ask a platform."""

import argparse
import os
from typing import Any, Final

from streamrelay.client.command_line import (
    address,
    attach,
    count,
    early_dial,
    escape_character,
    file,
    label,
    lines,
    pattern,
    place,
    stream,
    target,
    terminal,
    words,
    zone,
)
from streamrelay.client.commands import (
    run_connect,
    run_drain,
    run_end,
    run_hosts,
    run_relays,
    run_streams,
    run_terminals,
)
from streamrelay.client.outbound_options import add_outbound

TERMINAL_WITH_DASH: Final = "-[A-Za-z0-9_-]{21}"
"""Pattern of a terminal's id that begins as an option does."""
EXIT: Final = """exit status:
   0  the stream ended in order, and standard output took every byte (or, with a pty, the command's own status)
   1  the stream broke off, standard output couldn't take all of it, or a list isn't whole
   2  the command line or a file is wrong
   3  the host is offline, it or the relay is busy, or the platform has no connection to NATS
   4  not allowed, no such target or terminal, or too many bad keys
   5  the target refused or can't be reached, or the host didn't answer in time
   6  the platform or the relay can't be reached
 130  interrupted (as after SIGINT, or by ~.; 129 and 143 by SIGHUP and SIGTERM)
 141  nobody reads standard output any more (as after SIGPIPE)"""


def add_connect(commands: Any) -> None:
    connect = commands.add_parser(
        "connect",
        help="open a stream to a target of a host",
        description="Open a stream to a target of a host, on standard input and output or on a local port.",
        epilog=EXIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _which(connect)
    connect.add_argument(
        "--listen",
        metavar="[ADDRESS:]PORT",
        type=address,
        help="listen here, without an address on this machine, and connect the target for each connection (instead of "
        "standard input and output); port 0: any free one, which is told",
    )
    connect.add_argument("--view", action="store_true", help="look only: nothing that is sent reaches the target")
    _zone(connect)
    connect.add_argument(
        "--no-resume", action="store_true", help="let the stream end when its connection to the relay is lost"
    )
    _places(connect)
    connect.add_argument(
        "--escape",
        metavar="CHAR",
        type=escape_character,
        default="~",
        help="in a terminal, what begins the keys to leave it, as ^] or none (default: ~)",
    )
    connect.add_argument(
        "--early-dial",
        metavar="auto|none",
        type=early_dial,
        default=os.environ.get("STREAMRELAY_EARLY_DIAL") or "auto",
        help="auto: dial the relay of this platform's last stream while the platform is asked, and note it in "
        "~/.cache/streamrelay; none: neither (default: auto, or STREAMRELAY_EARLY_DIAL)",
    )
    connect.add_argument("-v", "--verbose", action="store_true", help="say when the stream opens and ends")
    _reaching(connect)
    connect.set_defaults(run=run_connect)


def _which(connect: Any) -> None:
    """Add what is connected."""
    connect.dashed = TERMINAL_WITH_DASH
    for name, kind in (("host", words), ("target", target)):
        # Not with --attach; an optional one would be passed over where options stand between the two.
        connect.add_argument(name, metavar=name.upper(), type=kind).required = False
    connect.add_argument(
        "--attach",
        metavar="TERMINAL",
        type=attach,
        help="attach to this terminal, which is kept, by its id as ``streamrelay terminals`` has it, or by HOST:TARGET "
        "if there is one (with an id, HOST TARGET needn't be given)",
    )


def _zone(connect: argparse.ArgumentParser) -> None:
    connect.add_argument(
        "--zone",
        metavar="ZONE",
        type=zone,
        default="",
        help="go by a relay of this zone, if there is one (default: of the host's zone)",
    )


def _places(connect: argparse.ArgumentParser) -> None:
    """Add the options where to begin in a log."""
    connect.add_argument(
        "--lines",
        metavar="N",
        type=lines,
        help="of a log: begin with its last N lines, 0 to 100000 (default: as the target's settings say)",
    )
    where = connect.add_mutually_exclusive_group()
    where.add_argument(
        "--since-place",
        metavar="PLACE",
        type=place,
        default="",
        help="of a log: go on at this place, as -v tells it at the end, in place of the last lines",
    )
    where.add_argument(
        "--place-file",
        metavar="FILE",
        type=file,
        help="of a log: go on at the place that this file keeps, if it is there, and keep there what was taken",
    )
    connect.add_argument(
        "--after", metavar="BYTES", type=count, default=0, help="with --since-place: so many bytes behind that place"
    )


def add_hosts(commands: Any) -> None:
    hosts = commands.add_parser(
        "hosts",
        help="list the hosts that are up, with their targets",
        description="List the hosts that are up, with the targets that the key may open: columns on a terminal, fields "
        "between tabs elsewhere. The last says what there is to say: view only, no answer, down since when.",
    )
    hosts.add_argument("--all", action="store_true", help="also those that are down")
    hosts.add_argument(
        "--label", metavar="NAME=VALUE", action="append", default=[], type=label, help="those that have this label"
    )
    _listing(hosts, "hosts 'web-*' 'db-1:log/*'")
    hosts.set_defaults(run=run_hosts)


def add_streams(commands: Any) -> None:
    streams = commands.add_parser(
        "streams",
        help="list the streams that live",
        description="List the streams that live, of those that the key might open: columns on a terminal, fields "
        "between tabs elsewhere. UP are bytes to the target, DOWN bytes from it.",
    )
    _listing(streams, "streams 'web-*' '*:shell'")
    streams.set_defaults(run=run_streams)


def add_terminals(commands: Any) -> None:
    terminals = commands.add_parser(
        "terminals",
        help="list the terminals that are kept, or end some",
        description="List the terminals that are kept on hosts that are up, of those that the key might attach to: "
        "columns on a terminal, fields between tabs elsewhere. PEOPLE are those who are attached now. "
        "``streamrelay connect --attach`` attaches to one.",
    )
    terminals.dashed = TERMINAL_WITH_DASH
    terminals.add_argument(
        "--end",
        metavar="TERMINAL",
        action="append",
        default=[],
        type=terminal,
        help="end this one, with all that runs in it, in place of listing; may be repeated",
    )
    _listing(terminals, "terminals web-1 'db-*:shell'")
    terminals.set_defaults(run=run_terminals)


def add_relays(commands: Any) -> None:
    relays = commands.add_parser(
        "relays",
        help="list the relays by which streams go",
        description="List the relays by which streams go, as they say themselves, for a key that may open everything: "
        "columns on a terminal, fields between tabs elsewhere. LOAD is the share of its connections that a relay has, "
        "or of its CPU time, whichever is more.",
    )
    relays.add_argument("--json", action="store_true", help="as the platform answers")
    _reaching(relays)
    relays.set_defaults(run=run_relays)


def add_drain(commands: Any) -> None:
    drain = commands.add_parser(
        "drain",
        help="have no stream begin at relays any more",
        description="Have no stream begin at relays any more, for a key that may drain them: they aren't picked, while "
        "the streams that they have go on. It lasts until it is undone, or the relay restarts. Printed is how each "
        "relay is then, as by ``streamrelay relays``.",
    )
    drain.add_argument(
        "relays", metavar="RELAY", nargs="+", type=words, help="its name, as ``streamrelay relays`` has it"
    )
    drain.add_argument("--undo", action="store_true", help="let streams begin there again")
    drain.add_argument("--json", action="store_true", help="as the platform answers")
    _reaching(drain)
    drain.set_defaults(run=run_drain)


def add_end(commands: Any) -> None:
    end = commands.add_parser(
        "end",
        help="end streams",
        description="End streams, by the names that ``streamrelay streams`` lists.",
    )
    end.dashed = "-[A-Za-z0-9_-]{21,}"
    end.add_argument("streams", metavar="STREAM", nargs="+", type=stream)
    _reaching(end)
    end.set_defaults(run=run_end)


def _listing(command: argparse.ArgumentParser, example: str) -> None:
    command.add_argument(
        "patterns",
        metavar="HOST[:TARGET]",
        nargs="*",
        type=pattern,
        help=f"globs of what is to be listed, for example {example}",
    )
    command.add_argument("--json", action="store_true", help="as the platform answers")
    _reaching(command)


def _reaching(command: argparse.ArgumentParser) -> None:
    """Add the options of commands that ask a platform."""
    command.add_argument(
        "--platform",
        metavar="URL",
        type=words,
        default=os.environ.get("STREAMRELAY_PLATFORM", ""),
        help="the platform's URL (or STREAMRELAY_PLATFORM in the environment)",
    )
    command.add_argument(
        "--key-file",
        metavar="FILE",
        default=os.environ.get("STREAMRELAY_KEY_FILE", ""),
        help="a file with the key (or STREAMRELAY_KEY_FILE, or the key itself in STREAMRELAY_KEY)",
    )
    command.add_argument(
        "--ca",
        metavar="FILE",
        default=os.environ.get("STREAMRELAY_CA", ""),
        help="certificates to trust in place of the system's (or STREAMRELAY_CA)",
    )
    add_outbound(command)
    command.add_argument(
        "--mask", choices=["auto", "always"], default="auto", help="mask frames over TLS, too (default: auto)"
    )
    command.add_argument("--insecure", action="store_true", help="allow ws:// and http:// beyond this machine")
