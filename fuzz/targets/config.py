"""Files that operators write: the settings of each program, keys and grants, targets.

Each is refused with a `ConfigError`, or gives settings under which nothing is open that wasn't said to be.
"""

import ipaddress
import os
import tempfile
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from fuzz.choices import Choices
from streamrelay.agent.catalogue import Catalogue
from streamrelay.agent.config import AgentConfig
from streamrelay.errors import ConfigError, TargetError
from streamrelay.platform.auth.grants import Granted, Holder, KeyRing, User
from streamrelay.platform.config import PlatformConfig
from streamrelay.program.settings import load
from streamrelay.protocol.names import is_host
from streamrelay.relay.config import RelayConfig

SEEDS: Final = [
    b'\0\0id = "relay"\nlisten = ["tcp:8780"]\nplatform_key = ["a.pub"]\npatience = 3\norigin = ["https://a.example:8"]\n',
    b'\0\0tokens = "opaque"\norigin = ["https://[::1"]\n',
    b'\1\0host = "web-1"\nnats = ["tls://a:b@n.example:4222"]\nplatform_key = ["p"]\nrelays = ["wss://r.example/x"]\n',
    b'\1\0host = "web-1"\ntokens = "opaque"\nrelays = ["ws://127.0.0.1:1"]\n[targets.log]\nkind = "log"\npath = "/x"\n',
    b'\2\0relay = "wss://r.example"\nkey = "k"\nkeys = "k.toml"\nnats = ["nats://127.0.0.1:4222"]\nrelay_id = "a"\n',
    b'\2\0relay = "ws://r.example"\ntokens = "opaque"\nkeys = "k.toml"\ninsecure = true\n',
    b'\3\0[keys.alice]\nhash = "sha256:' + b"a1" * 32 + b'"\ngrants = [{ host = "web-[!a-]*", target = "log/*" }]\n'
    b"[anonymous]\ngrants = [{}]\n",
    b'\4\0[targets.log]\nkind = "log"\npath = "/x"\nlines = 5\n[targets."vm/{name}"]\nkind = "unix"\n'
    b'path = "/vm/{name}"\nparts = { name = "[a-z]+" }\n',
    b'\4\0[targets.t]\nkind = "pty"\ncommand = ["sh", "-c", "x"]\nenvironment = { A = "b" }\n',
    b"\0\0a = " + b"[" * 2000,
    b"\0\0a = 2026-01-01T00:00:00Z\nb = 1979-05-27\nc = 0x1f\nd = 1_000.5e+3\ne = inf\nf = '''\n'''\n[g]\n[[h]]\n",
    *(bytes([kind, 1]) for kind in range(5)),
]
WORDS: Final = [
    b" = ",
    b'"""',
    *b"''' [ ] [[ ]] { }".split(),
    b"\n",
    *rb"true inf nan 1e400 \u0000 id listen tokens platform_key patience origin host nats relays targets ca".split(),
    *rb'keys anonymous grants hash target kind path address command parts insecure "opaque" "signed"'.split(),
    *rb'https:// wss:// ws:// nats:// tls:// 127.0.0.1 localhost [::1] "tcp" "unix" "log" "pty" {name}'.split(),
    *rb"[a-z]+ .* * ? [! ( ){1,9} relay".split(),
]

_PROGRAMS: Final = (RelayConfig, AgentConfig, PlatformConfig)
_GOOD: Final = (
    b'id = "relay"|platform_key = ["a.pub"]|listen = ["tcp:8780"]|patience = 3.5|origin = ["https://a.example"]',
    b'host = "web-1"|platform_key = ["a.pub"]|nats = ["tls://n.example"]|relays = ["wss://r.example"]|mask = "always"',
    b'relay = "wss://r.example"|key = "k"|keys = "k.toml"|nats = ["nats://127.0.0.1"]|relay_id = "a"',
    b'[keys.alice]|hash = "sha256:'
    + b"a1" * 32
    + b'"|grants = [{ host = "web-*", target = "*" }]|[anonymous]|grants = []',
    b'[targets."v/{name}"]|kind = "unix"|path = "/vm/{name}"|parts = { name = "[a-z]+" }|[targets.a]|kind = "log"|'
    b'path = "/"',
)
"""What is accepted, in lines."""
_NAMES: Final = [
    *b"id listen tokens platform_key patience origin max_connections max_handshakes host nats nats_creds".split(),
    *b"relays ca mask max_streams insecure targets drop_in relay key keys relay_id hash grants kind path".split(),
    *b"lines address command environment parts".split(),
]
_VALUES: Final = [
    *rb'"opaque" "signed" "relay" "" "a.b" [] {} 0 -1 0.5 nan inf 1e400 true ["wss://r.example"]'.split(),
    *rb'["ws://r.example"] ["ws://127.0.0.1:99999"] ["wss://["] ["nats://n.example"]'.split(),
    *rb'["nats://localhost@n.example"] ["nats://127.0.0.1.example"] "ws://[::1]" "wss://a?b"'.split(),
    *rb'["nats://[::1]"] ["https://[::1"] ["null"] ["*"] ["https://A"] ["https://a/"] [1] "\u0000"'.split(),
    b"9" * 5000,
    b'[{ host = "[!a-]", target = "[" }]',
    *b'[{}] "log" "tcp" "pty" "/x" "a:1"'.split(),
    b'["sh", "{name}"]',
    b'{ name = "(" }',
    b'{ name = "(?:a*)*" }',
    b'{ A = "b" }',
    b"2026-01-01",
    b"[" * 1500,
]


def _settings_of(choices: Choices, kind: int) -> bytes:
    """A file that nearly is a good one."""
    names = (*_NAMES, b"[targets.x]", b"[keys.bob]", b"[anonymous]", b'[targets."{a}/{b}"]')

    def line(_: Choices) -> bytes:
        name = choices.pick(names)
        return name if name.startswith(b"[") else name + b" = " + choices.pick(_VALUES)

    return b"\n".join(choices.change(_GOOD[kind].split(b"|"), line))


_folder: Final = tempfile.TemporaryDirectory(
    prefix="streamrelay-fuzz-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None
)
_file: Final = Path(_folder.name) / "settings.toml"


def fuzz(source: bytes) -> None:
    choices = Choices(source)
    kind = choices.number(5)
    _file.write_bytes(_settings_of(choices, kind) if choices.flag() else choices.rest())
    try:
        if kind < 3:
            _check_settings(load(_PROGRAMS[kind], str(_file), {}))
        elif kind == 3:
            ring = KeyRing(str(_file))
            ring.load()
            _check_keys(ring)
        else:
            catalogue = Catalogue(str(_file))
            catalogue.load()
            _check_targets(catalogue)
    except ConfigError as error:
        assert str(error).startswith(str(_file)), error


def _check_settings(settings: Any) -> None:
    signed = settings.tokens == "signed"
    if isinstance(settings, RelayConfig):
        assert settings.listen and (settings.platform_key or not signed)
        assert "null" not in settings.origin and "*" not in settings.origin
    elif isinstance(settings, AgentConfig):
        assert is_host(settings.host) and (settings.platform_key if signed else settings.relays)
    else:
        assert settings.listen and settings.keys and (settings.key or not signed)
        assert settings.insecure or _is_safe(settings.relay)
    assert settings.insecure or all(_is_safe(url) for url in getattr(settings, "nats", ()))


def _is_safe(url: str) -> bool:
    """Whether nobody on the way can read what goes there."""
    parts = urlsplit(url)
    if parts.scheme in ("tls", "wss") or parts.hostname == "localhost":
        return True
    return ipaddress.ip_address(parts.hostname or "").is_loopback


def _check_keys(ring: KeyRing) -> None:
    content = ring.content
    assert ring.user("srk_" + "x" * 43) is None, "an unknown key"
    assert (ring.user(None) is None) is (content.anonymous is None)
    holders: list[Holder | Granted] = [*content.keys.values(), *([content.anonymous] if content.anonymous else [])]
    for holder in holders:
        user = User("somebody", holder.grants)
        for target in ("log", "vm/a", "vm/{name}"):
            assert holder.grants or not user.may("web-1", target), "granted by nothing"
            assert user.may_see("web-1", target) or not user.may("web-1", target), "may open what isn't shown"


def _check_targets(catalogue: Catalogue) -> None:
    for name in ("log", "vm/web-1", "../x", "", "\n"):
        try:
            catalogue.find(name)
        except TargetError:
            pass
    for info in catalogue.infos():
        assert info.name and info.name.isascii() and info.name.isprintable(), info
