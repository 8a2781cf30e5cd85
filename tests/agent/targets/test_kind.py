"""kind.py: a new kind of target is a subclass and its place among the kinds."""

from collections.abc import Mapping
from typing import Any, Self

from msgspec import structs
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent import catalogue
from streamrelay.agent.catalogue import Catalogue, read_targets
from streamrelay.agent.targets.kind import Kind, Text
from streamrelay.errors import ConfigError, TargetError
from streamrelay.protocol.summons import TargetInfo, Terms, Viewer
from tests.fakes.connections import FakeConnection


class Serial(Kind, frozen=True, tag="serial"):
    """Settings of a serial line, which no agent has."""

    device: str
    modes: tuple[str, ...] = ()
    colours: dict[str, str] = {}
    wires: dict[str, str] = {}
    speed: int = 9600
    where: str = ""

    @property
    def viewer(self) -> Viewer:
        return "terminal"

    def texts(self) -> Mapping[str, Text]:
        return {**super().texts(), "wires": self.wires}

    def bounded(self) -> Self:
        if not self.device.startswith("/dev/"):
            raise ValueError("device: expected a path in /dev")
        return structs.replace(self, where=self.where or "here")

    def check(self) -> None:
        if self.device == "/dev/null":
            raise ValueError("device: expected a serial line")

    async def connect(self, reactor: Any, terms: Terms) -> FakeConnection:
        connection = FakeConnection()
        connection.send([memoryview(self.device.encode())], len(self.device))
        return connection


class NewKind(SynchronousTestCase):
    """A kind that the package hasn't got."""

    def setUp(self) -> None:
        self.patch(catalogue, "KINDS", (*catalogue.KINDS, Serial))

    def read(self, name: str = "line/{n}", **settings: Any) -> Catalogue:
        parts = {"parts": {"n": "[a-z0-9]+"}} if "{n}" in name else {}
        table = {"kind": "serial", "device": "/dev/{n}", **parts, **settings}
        return Catalogue(entries=read_targets({name: table}, "agent.toml"))

    def wrong(self, **settings: Any) -> str:
        return str(self.assertRaises(ConfigError, self.read, **settings))

    def test_listed(self) -> None:
        """It is read, and listed by its kind's name and its viewer."""
        self.assertEqual(self.read().infos(), (TargetInfo("line/{n}", "serial", "terminal"),))

    def test_filled(self) -> None:
        """Parts are filled into each text that it says may hold them, and nowhere else; the bounds are its own."""
        found: Any = self.read(modes=["{n}", "x"], colours={"a": "{n}"}, wires={"a": "{n}"}, speed=300).find("line/s1")
        self.assertEqual((found.device, found.modes, found.wires), ("/dev/s1", ("s1", "x"), {"a": "s1"}))
        self.assertEqual((found.colours, found.speed, found.where), ({"a": "{n}"}, 300, "here"))

    def test_connected(self) -> None:
        """It is connected as it says itself."""
        connecting = self.read().find("line/s1").connect(None, Terms())
        connection: Any = self.successResultOf(Deferred.fromCoroutine(connecting))
        self.assertEqual(bytes(connection.sent), b"/dev/s1")

    def test_wrong(self) -> None:
        """Its own checks count when it is read, and when parts are filled in; unknown parts are found in all texts."""
        self.assertIn("expected a path in /dev", self.wrong(device="/x"))
        self.assertIn("expected a serial line", self.wrong(name="line", device="/dev/null"))
        self.assertIn("unknown field", self.wrong(more=1))
        for settings in ({"device": "/dev/{m}"}, {"modes": ["{m}"]}, {"wires": {"a": "{m}"}}):
            self.assertIn("{m} is not a part of the name", self.wrong(**settings))
        self.assertRaises(TargetError, self.read().find, "line/null")

    def test_unregistered(self) -> None:
        """Without its place among the kinds it is none."""
        self.patch(catalogue, "KINDS", catalogue.KINDS[:-1])
        self.assertIn("'serial'", self.wrong())
