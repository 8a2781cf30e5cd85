"""bench/: the arithmetic of its works, and how it leaves out what isn't there."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from bench import page
from bench.chain import DELAY, Chain
from bench.chains import CHAINS
from bench.lag import late
from bench.legs import Listener, Socket, dial
from bench.machine import Machine
from bench.openings import Openings
from bench.processes import Bench, Program, bench, free_port
from bench.relays import Streamrelay
from bench.results import Result
from bench.sampling import Plan, Row, interleave
from bench.signed import SignedStreamrelay
from bench.standings import behind
from bench.works import WORKS, fairness
from bench.works.trips import ANSWERS, TRIPS, answer, beside_bulk
from streamrelay.protocol.tokens import Verifier
from tests.fakes.files import folder


class Straight(Chain):
    """A chain of nothing: the port beside the user is the target's own."""

    name = "straight"

    def compose(self, bench: Bench) -> None:
        self.port = self.far.port


class Works(SynchronousTestCase):
    """What the works measure, where nothing stands between their ends."""

    def setUp(self) -> None:
        self.chain = Straight()
        self.chain.start(Bench(folder(self), []))
        self.addCleanup(self.chain.stop)

    def test_openings(self) -> None:
        """All connections are counted once, whoever speaks first and however many are under way at a time."""
        for count, at_once, greets in ((5, 1, False), (5, 1, True), (20, 8, False), (60, 60, False)):
            got = Openings(self.chain, count, at_once, greets).run()
            figures = got.figures()
            self.assertEqual((len(got.times), figures["worked"], figures["failed"]), (count, 100.0, 0))
            self.assertEqual(got.times, sorted(got.times))
            self.assertLessEqual(got.times[-1], got.wall)
            self.assertEqual(figures["cpu"], 0.0)
            self.assertAlmostEqual(figures["rate"] * figures["wall"] / 1e3, count)

    def test_lost(self) -> None:
        """Connections that end without the byte count as failed, and none at all is an error."""
        refusing = Listener()
        thread = threading.Thread(target=self._close_all, args=(refusing, 3))
        thread.start()
        self.chain.port = refusing.port
        with self.assertRaisesRegex(ConnectionError, "none of 3 connections"):
            Openings(self.chain, 3, 3).run().figures()
        thread.join()
        refusing.close()

    def test_lost_some(self) -> None:
        """Figures are those of the connections that worked."""
        got = Openings(self.chain, 4, 2).run()
        got.count, got.chain = 5, 2.0
        self.assertEqual([got.figures()[name] for name in ("worked", "failed", "cpu")], [80.0, 1, 500.0])

    @staticmethod
    def _close_all(listener: Listener, count: int) -> None:
        for _ in range(count):
            listener.accept().close()

    def test_answer(self) -> None:
        """An answer in two pieces takes no less than the pause between them."""
        pair = self.chain.pair()
        self.addCleanup(pair.close)
        self.assertGreaterEqual(min(answer(pair) for _ in range(5)), 0.001)

    def test_beside_bulk(self) -> None:
        """Round trips are measured while another connection carries what it can, and nothing of that is left."""
        plan = Plan(Bench(folder(self), []), True, 1)
        figures = beside_bulk(self.chain, plan).figures
        self.assertGreater(figures["trips"], 0)
        self.assertLessEqual(figures["p50"], figures["p99"])
        self.assertEqual(multiprocessing.active_children(), [])

    def test_fairness(self) -> None:
        """A terminal's keys are measured alone, and beside ten connections that carry what they can."""
        figures = fairness.measure(self.chain, Plan(Bench(folder(self), []), True, 1)).figures
        self.assertLessEqual(figures["p50"], figures["p99"])
        self.assertAlmostEqual(figures["more"], figures["p99"] - figures["alone"])
        self.assertEqual(multiprocessing.active_children(), [])

    def test_lag(self) -> None:
        """The loop's lag is that of the looks between two readings: the least bound that holds so many of them."""
        before = {0.001: 900.0, 0.02: 900.0, 0.05: 900.0, float("inf"): 900.0}
        after = {0.001: 950.0, 0.02: 998.0, 0.05: 999.0, float("inf"): 1000.0}
        self.assertEqual([late(before, after, share) for share in (0.5, 0.98, 0.99)], [1.0, 20.0, 50.0])

    def test_users(self) -> None:
        """Several users' ports are taken in turn."""
        ports = [Listener() for _ in range(2)]
        for listener in ports:
            self.addCleanup(listener.close)
        load = Openings(self.chain, 4, 4, ports=[listener.port for listener in ports])
        thread = threading.Thread(target=load.run)
        thread.start()
        for listener in ports * 2:
            listener.accept().close()
        thread.join()


class Far(SynchronousTestCase):
    """The program that delays."""

    def setUp(self) -> None:
        self.listener, port = Listener(), free_port()
        self.addCleanup(self.listener.close)
        command = [sys.executable, str(DELAY), "0.05", f"{port}:{self.listener.port}"]
        output = folder(self) / "log"
        with output.open("wb") as log:
            program = Program("delay", subprocess.Popen(command, stdout=log, stderr=log), output)
        self.addCleanup(program.stop)
        program.wait_until_listening(port)
        self.listener.accept().close()
        self.port = port

    def test_delays(self) -> None:
        """The first bytes come after a round trip and a half, an answer, further ones and the end after a half each."""
        began = time.monotonic()
        user = dial(self.port)
        user.sendall(b"first")
        target = self.listener.accept()
        self.assertEqual(target.recv(16), b"first")
        self.assertGreaterEqual(time.monotonic() - began, 0.075)
        for near, far in ((target, user), (user, target)):
            began = time.monotonic()
            near.sendall(b"more")
            self.assertEqual(far.recv(16), b"more")
            self.assertGreaterEqual(time.monotonic() - began, 0.025)
        began = time.monotonic()
        user.close()
        self.assertEqual(target.recv(16), b"")
        self.assertGreaterEqual(time.monotonic() - began, 0.025)
        target.close()

    def test_bytes(self) -> None:
        """All bytes arrive in their order, more of them than are kept under way."""
        user, sent = dial(self.port), os.urandom(1 << 20) * 40
        target = self.listener.accept()
        thread = threading.Thread(target=self._send, args=(target, sent))
        thread.start()
        came = bytearray()
        while piece := user.recv(1 << 20):
            came += piece
        thread.join()
        user.close()
        self.assertTrue(came == sent)

    @staticmethod
    def _send(end: Socket, sent: bytes) -> None:
        end.sendall(sent)
        end.close()


class Place(SynchronousTestCase):
    """A place to start programs in."""

    def test_cache(self) -> None:
        """Nothing writes into the folder of a run once that is over: caches are where they were before."""
        for before in ({}, {"XDG_CACHE_HOME": "/somewhere"}):
            with patch.dict(os.environ, before):
                if not before:
                    os.environ.pop("XDG_CACHE_HOME", None)
                with bench() as place:
                    self.assertEqual(os.environ["XDG_CACHE_HOME"], str(place.folder / "cache"))
                self.assertEqual(os.environ.get("XDG_CACHE_HOME"), before.get("XDG_CACHE_HOME"))
                self.assertFalse(place.folder.exists())


class Skips(SynchronousTestCase):
    """What isn't there."""

    def test_by_name(self) -> None:
        """A chain whose program isn't installed is left out, and the page names it; nothing is left running."""
        plan = Plan(Bench(folder(self), []), True, 1)
        others = [kind for kind in CHAINS if kind.name != "streamrelay"]
        nowhere = {"PATH": "/nowhere", "HOME": "/nowhere"}
        with patch.dict(os.environ, nowhere), patch("bench.processes.SYSTEM", "/nowhere"):
            self.assertEqual(plan.started(others), [])
        self.assertEqual(list(plan.skipped), ["ssh", "chisel", "wstunnel", "frp", "rathole"])
        self.assertEqual(plan.skipped["frp"], "frps is not installed")
        text = page.render({"answers": result("answers", [], plan.skipped)})
        for name in ("chisel", "wstunnel", "frps", "rathole"):
            self.assertIn(f"- left out of answers: {name} is not installed", text)

    def test_failed(self) -> None:
        """A measurement that fails is no figure, and is named."""

        def measure(_: object) -> None:
            raise ConnectionError("cut")

        plan = Plan(Bench(folder(self), []), True, 2)
        self.assertEqual(interleave(plan, "case", [Straight()], measure), [])  # type: ignore[arg-type]
        self.assertIn("with straight (case: cut)", plan.skipped["case: straight"])


def result(name: str, rows: list[Row], skipped: dict[str, str]) -> Result:
    return Result("2000-01-01", True, 1, Machine("", 1, False, 1, ""), rows, {}, skipped)


class Standings(SynchronousTestCase):
    """Where others are better."""

    def rows(self, figure: str, **medians: float) -> list[Row]:
        names = {"ours": "streamrelay", "none": "no relay"}
        return [Row("a case", names.get(name, name), {figure: [value]}, [0.0]) for name, value in medians.items()]

    def test_behind(self) -> None:
        """Those that need less are named, the best first; those that need more aren't, nor is the load alone."""
        table = behind([(TRIPS, self.rows("cpu", ours=690, none=1, chisel=560, frp=800, wstunnel=290))])
        self.assertRegex(table, r"Echo through whole chains: a case: CPU [^\d]+ 690 +wstunnel 290; chisel 560\n")
        self.assertNotIn("frp", table)

    def test_more_is_better(self) -> None:
        """Of what there should be more of, those that do more are named."""
        table = behind([(TRIPS, self.rows("trips", ours=3476, chisel=5892, frp=3000))])
        self.assertRegex(table, r" 3,476 +chisel 5,892\n")

    def test_ahead(self) -> None:
        """Where nobody is better nothing is said, and likewise where we weren't measured."""
        self.assertEqual(behind([(ANSWERS, self.rows("p50", ours=1.5, ssh=44.0))]), "")
        self.assertEqual(behind([(ANSWERS, self.rows("p50", ssh=44.0))]), "")

    def test_page(self) -> None:
        """The page says it, with all other parts."""
        text = page.render({"answers": result("answers", self.rows("p50", ours=44.0, frp=1.6), {})})
        self.assertIn("Where others are better\n-----------------------", text)
        self.assertRegex(text, r" 44\.00 +frp 1\.60\n")
        for work in WORKS:
            self.assertIn(work.name, text)


class Plots(SynchronousTestCase):
    """A page that is written where matplotlib isn't."""

    def test_kept(self) -> None:
        """A plot that was drawn before stays, and is shown; one that no work has any more goes."""
        there = Path(folder(self))
        for name in ("trips-1", "trips-9"):
            (there / f"benchmarks-{name}.svg").write_text("<svg/>")
        rows = [Row("a case", "streamrelay", {"cpu": [1.0]}, [0.0])]
        with patch.object(page, "DOCS", there), patch.dict(sys.modules, {"matplotlib": None}):
            page.write({"trips": result("trips", rows, {})})
        self.assertEqual([path.name for path in there.glob("*.svg")], ["benchmarks-trips-1.svg"])
        self.assertIn(".. image:: benchmarks-trips-1.svg", (there / "benchmarks.rst").read_text())


class Signed(SynchronousTestCase):
    """The tokens of arrivals."""

    def test_taken(self) -> None:
        """The relay's own check takes both of a pair's tokens."""
        relay = SignedStreamrelay()
        with patch.object(Streamrelay, "start"):
            relay.start(Bench(folder(self), []))
        (option,) = relay.tokens()
        verifier = Verifier.load([option.partition("=")[2]], "relay")
        agent, client = (path.split("/") for path in relay.paths())
        one, other = verifier.leg(agent[2], "agent"), verifier.leg(client[2], "client")
        self.assertEqual((agent[1], client[1]), ("agent", "client"))
        self.assertEqual(one.stream, other.stream)
