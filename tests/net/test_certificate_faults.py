"""certificate_faults.py, tls_errors.py: a handshake that comes to nothing, in words on both sides."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.net.certificates import ClientPair, ServerTls, split_pair
from streamrelay.net.peer import explain
from streamrelay.protocol.tls_errors import in_words
from tests.authority import Authority, self_signed
from tests.fakes.files import folder
from tests.fakes.handshakes import PEER, Ended, shake
from tests.fakes.logs import Heard

HOST = "relay.example"


class Case(SynchronousTestCase):
    """A directory with a CA."""

    def setUp(self) -> None:
        self.where = folder(self)
        self.authority = Authority(self.where / "ca.pem")

    def ends(self, pair: str, host: str = HOST, ca: str = "", mine: str = "", client_ca: str = "") -> Ended:
        server = ServerTls((pair,), client_ca)
        server.load()
        own = ClientPair(mine).read() if mine else None
        return shake(server, ca or str(self.where / "ca.pem"), host, own)

    def date(self, days: float) -> str:
        return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}"


class Servers(Case):
    """What a client says of a server's certificate, and the server of what the client has said."""

    def refused(self, ended: Ended, why: str, alert: str) -> None:
        """Both sides say so, and the server's operator is told with whom."""
        self.assertRegex(str(ended.client), f"^TLS: {why}")
        self.assertRegex(str(ended.server), rf"^TLS: .*\((tls|tlsv1|sslv3|ssl/tls)? ?{alert}\)$")
        self.assertEqual([(peer, explain(reason)) for peer, reason in ended.told[1:]], [(PEER, ended.server)])
        self.assertLess(len(str(ended.client)), 300)

    def test_good(self) -> None:
        """A certificate of the CA, for this host, in its time: nobody says anything."""
        ended = self.ends(self.authority.issue(self.where / "a.pem", HOST))
        self.assertEqual((ended.client, ended.server, ended.told), (None, None, []))

    def test_expired(self) -> None:
        """One that has expired: since when, and what this machine's clock says."""
        pair = self.authority.issue(self.where / "a.pem", HOST, days=-1)
        said = (
            f"the certificate of {HOST} expired on {self.date(-1)} ..:.. UTC; this machine's clock says {self.date(0)}"
        )
        self.refused(self.ends(pair), said, "alert certificate expired")

    def test_not_yet(self) -> None:
        """One that isn't valid yet: from when on."""
        pair = self.authority.issue(self.where / "a.pem", HOST, since=2)
        said = f"the certificate of {HOST} isn't valid before {self.date(2)} ..:.. UTC; this machine's clock says"
        self.refused(self.ends(pair), said, "alert bad certificate")

    def test_unknown_issuer(self) -> None:
        """One of another CA: whose, and where that would have to be."""
        pair = Authority(self.where / "other.pem").issue(self.where / "a.pem", HOST)
        said = f"the certificate of {HOST} has an unknown issuer, streamrelay test CA, not in ca; "
        self.refused(self.ends(pair), said, "alert (unknown ca|decrypt error)")

    def test_no_intermediate(self) -> None:
        """One that an intermediate has signed which isn't sent along; sent along it is good."""
        pair = Authority(self.where / "between.pem", self.authority).issue(self.where / "a.pem", HOST)
        said = (
            f"the certificate of {HOST} has an unknown issuer, streamrelay test intermediate, .*; an intermediate may"
        )
        self.refused(self.ends(pair), said, "alert unknown ca")
        with Path(split_pair(pair)[0]).open("ab") as file:
            file.write((self.where / "between.pem").read_bytes())
        self.assertIsNone(self.ends(pair).client)

    def test_expired_intermediate(self) -> None:
        """One whose intermediate has expired: that one is named."""
        pair = Authority(self.where / "between.pem", self.authority, days=-1).issue(self.where / "a.pem", HOST)
        with Path(split_pair(pair)[0]).open("ab") as file:
            file.write((self.where / "between.pem").read_bytes())
        said = f"the certificate of streamrelay test intermediate expired on {self.date(-1)}"
        self.refused(self.ends(pair), said, "alert certificate expired")

    def test_self_signed(self) -> None:
        """One that nobody has signed; named as ``ca`` it is good."""
        pair = self_signed(self.where / "a.pem", HOST)
        said = rf"the certificate of {HOST} is self-signed, and not in ca"
        self.refused(self.ends(pair), said, "alert unknown ca")
        self.assertIsNone(self.ends(pair, ca=split_pair(pair)[0]).client)

    def test_other_name(self) -> None:
        """One for other hosts: for which, and which it should be for."""
        pair = self.authority.issue(self.where / "a.pem", "a.example", "b.example", "c.example", "d.example")
        said = f"the certificate is for another host: for a.example, b.example, c.example …, not for {HOST}$"
        self.refused(self.ends(pair), said, "alert (internal error|certificate unknown)")


class Clients(Case):
    """What a relay with ``agent_ca`` says of an agent's certificate, and the agent of what the relay has said."""

    def refused(self, mine: str, why: str, alert: str) -> None:
        ended = self.ends(
            self.authority.issue(self.where / "a.pem", HOST), mine=mine, client_ca=str(self.where / "ca.pem")
        )
        self.assertRegex(str(ended.server), f"^TLS: {why}")
        self.assertEqual([(peer, explain(reason)) for peer, reason in ended.told], [(PEER, ended.server)])
        self.assertIn(alert, str(ended.client))

    def test_refused(self) -> None:
        """One of another CA, and one that has expired, are named in the relay's log; the agent says as much."""
        other = Authority(self.where / "other.pem")
        self.refused(
            other.issue(self.where / "web-1.pem", "web-1"),
            r"the certificate of web-1 has an unknown issuer, streamrelay test CA, not in agent_ca;",
            "doesn't know the issuer of the certificate that it was shown",
        )
        self.refused(
            self.authority.issue(self.where / "web-1.pem", "web-1", days=-1),
            f"the certificate of web-1 expired on {self.date(-1)}",
            "to the other end the certificate that it was shown has expired",
        )


class Soon(Case):
    """Certificates that are about to expire."""

    def said(self, days: float, since: float = -3) -> list[str]:
        server = ServerTls((self.authority.issue(self.where / "a.pem", HOST, days=days, since=since),))
        server.load()
        heard = Heard(self)
        server.warn()
        return heard.lines

    def test_soon(self) -> None:
        """One that has expired, will within 14 days, or isn't valid yet is named, with its file and the day."""
        where = f"the certificate of {HOST} in {self.where}/a.pem"
        for days, since, words in (
            (-1, -3, f"expired on {self.date(-1)}"),
            (13.5, -3, f"expires in 13 days, on {self.date(13.5)}"),
            (30, 1, f"isn't valid before {self.date(1)}"),
        ):
            (line,) = self.said(days, since)
            self.assertIn(f"{where} {words}", line)
        self.assertEqual(self.said(14.1), [])

    def test_again(self) -> None:
        """It is said again when the files were read again."""
        server = ServerTls((self.authority.issue(self.where / "a.pem", HOST),))
        server.load()
        self.authority.issue(self.where / "a.pem", HOST, days=-1)
        heard = Heard(self)
        server.files.refresh()
        self.assertIn("certificates read again", heard.lines[0])
        self.assertIn(f"{self.where}/a.pem expired on {self.date(-1)}", heard.lines[1])

    def test_intermediate(self) -> None:
        """One that its file holds behind its own counts, too."""
        between = Authority(self.where / "between.pem", self.authority, days=1)
        pair = between.issue(self.where / "a.pem", HOST)
        with Path(split_pair(pair)[0]).open("ab") as file:
            file.write((self.where / "between.pem").read_bytes())
        server = ServerTls((pair,))
        server.load()
        heard = Heard(self)
        server.warn()
        self.assertIn("the certificate of streamrelay test intermediate in", heard.lines[0])

    def test_own(self) -> None:
        """An agent's own is named when it is read."""
        heard = Heard(self)
        ClientPair(self.authority.issue(self.where / "a.pem", "web-1", days=-1)).read()
        self.assertIn(f"the certificate of web-1 in {self.where}/a.pem expired on {self.date(-1)}", heard.text)


class Reasons(SynchronousTestCase):
    """OpenSSL's words."""

    def test_alerts(self) -> None:
        """An alert is told as what it means, by whichever name of its protocol, with OpenSSL's word behind it."""
        for prefix in ("tlsv1 ", "tlsv13 ", "sslv3 ", "ssl/tls ", "tls "):
            told = in_words(f"{prefix}alert unknown ca")
            self.assertIn("doesn't know the issuer of the certificate", told)
            self.assertTrue(told.endswith("(alert unknown ca)"), told)
        self.assertEqual(in_words("tlsv1 alert user cancelled"), "tlsv1 alert user cancelled")
        self.assertIn("plain HTTP", in_words("http request"))
        self.assertEqual(in_words("record too small"), "record too small")
