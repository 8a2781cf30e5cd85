"""Permissions on the bus: the users of a NATS server, each by the public half of its NKEY.

Allow-lists alone, as small as can be (protocol.rst, "Permissions"). What a host may hear is listed without wildcards:
where ``$SRV.*`` is allowed, nats-server lets ``$SRV.>`` pass, too. `render` writes what nats-server reads, and `parse`
reads that again: the file is the only place where users are kept.
"""

import re
from typing import Final, Literal

from msgspec import Struct

from streamrelay.bus.credentials import PUBLIC
from streamrelay.bus.micro_service import service_subjects
from streamrelay.errors import ConfigError
from streamrelay.protocol.limits import CONNECT_TIME
from streamrelay.protocol.names import HOST
from streamrelay.protocol.subjects import (
    ALL_STREAMS,
    ALL_TARGETS,
    DISCONNECTS,
    PLATFORM_INBOX,
    RELAY_SERVICE,
    SERVICE,
    drain_subject,
    end_subject,
    event_subject,
    open_subject,
    relay_subject,
    streams_subject,
    subject_part,
)

Role = Literal["platform", "audit", "host", "relay"]
NAMED: Final = ("host", "relay")
"""Roles of which there are many users, each with a name."""

ACCOUNT: Final = "STREAMRELAY"
"""The account of NATS that all of these users are in: what they say is heard by nobody else of that server."""
AUDIT_INBOX: Final = "_INBOX_audit"
HEAD: Final = """\
# Who may use the bus, and for what. Written by `streamrelay host` and `relay`, which put away what is changed by hand.
# nats-server.conf includes it; `nats-server --signal reload=PIDFILE` makes a change count.
"""
_FILE: Final = f"""\
{HEAD}
authorization {{ timeout: 5 }}

accounts {{
  {ACCOUNT} {{
    # The server tells who has left it, so that a host which dies is known to be down at once.
    imports: [
      {{ stream: {{ account: "$SYS", subject: "$SYS.ACCOUNT.{ACCOUNT}.DISCONNECT" }} }}
    ]
    users: [%s
    ]
  }}
  $SYS {{
    exports: [
      {{ stream: "$SYS.ACCOUNT.*.DISCONNECT", account_token_position: 3 }}
    ]
  }}
}}
"""
_USER: Final = rf"""
    # (platform|audit|host|relay)(?: ({HOST}))?
    {{
      nkey: "({PUBLIC})"
"""


class BusUser(Struct, frozen=True):
    """One user of the bus. `name` is the host's, or the relay's id; platform and audit have none."""

    role: Role
    nkey: str
    name: str = ""

    @property
    def publish(self) -> list[str]:
        """Subjects on which the user may publish, beside those on which it was asked to answer."""
        if self.role == "platform":
            return [open_subject("*"), end_subject("*"), ALL_TARGETS, ALL_STREAMS, drain_subject("*")]
        if self.role == "audit":
            return sorted({*service_subjects(SERVICE, "*"), *service_subjects(RELAY_SERVICE, "*")})
        if self.role == "relay":
            return [relay_subject(self.name, "*")]
        return [event_subject(self.name, "*"), f"{PLATFORM_INBOX}.*.{subject_part(self.name)}"]

    @property
    def subscribe(self) -> list[str]:
        if self.role == "platform":
            events = [event_subject("*", "up"), event_subject("*", "down"), relay_subject("*", "*")]
            return [f"{PLATFORM_INBOX}.>", *events, DISCONNECTS]
        if self.role == "audit":
            return [event_subject("*", "*"), relay_subject("*", "*"), f"{AUDIT_INBOX}.>"]
        if self.role == "relay":
            return [drain_subject(self.name), *service_subjects(RELAY_SERVICE, self.name)]
        asked = [open_subject(self.name), end_subject(self.name), streams_subject(self.name)]
        return [*asked, ALL_TARGETS, ALL_STREAMS, *service_subjects(SERVICE, self.name)]


def render(users: list[BusUser]) -> str:
    """Write the users as nats-server's configuration includes them."""
    return _FILE % "".join(_block(user) for user in users)


def _block(user: BusUser) -> str:
    who = f"{user.role} {user.name}" if user.role in NAMED else user.role
    # One answer to each request, within the time that connecting a target and a relay may take.
    answers = f"        allow_responses: {{ max: 1, expires: {_quoted(f'{2 * CONNECT_TIME + 10:g}s')} }}\n"
    return (
        f"\n    # {who}\n    {{\n      nkey: {_quoted(user.nkey)}\n      permissions: {{\n"
        f"        publish: {{ allow: [{_listed(user.publish)}] }}\n"
        f"        subscribe: {{ allow: [{_listed(user.subscribe)}] }}\n"
        f"{answers if user.role in NAMED else ''}      }}\n    }}"
    )


def _listed(subjects: list[str]) -> str:
    lines = ",".join(f"\n          {_quoted(subject)}" for subject in subjects)
    return f"{lines}\n        "


def _quoted(text: str) -> str:
    return f'"{text}"'


def parse(text: str) -> list[BusUser]:
    """Read the users of a file that `render` has made, or raise `ConfigError`.

    A file that was changed by hand is refused rather than read in part, as `render` would drop the rest of it.
    """
    users = []
    for role, name, nkey in re.findall(_USER, text):
        if bool(name) != (role in NAMED):
            raise ConfigError("it isn't as `streamrelay host` writes it")
        users.append(BusUser(role, nkey, name))
    if {len(users)} != {
        len(re.findall(pattern, text, re.MULTILINE)) for pattern in (r"^    \{$", "nkey:", "permissions")
    }:
        raise ConfigError("it isn't as `streamrelay host` writes it")
    return users
