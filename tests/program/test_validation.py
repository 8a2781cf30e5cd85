"""validation.py: URLs of settings."""

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.program.validation import check_http, check_relay

WRONG = (
    "{}://host:99999",
    "{}://host:0",
    "{}://host:port",
    "{}://ho st",
    "{}://ho\nst",
    "{}://h\u00f6st",
    "{}://[::1",
    "{}://:81",
)
"""URLs of nobody, whatever their scheme."""


class Urls(SynchronousTestCase):
    """What a relay's URL, and that of a system which is asked, may be."""

    def test_wrong(self) -> None:
        """A URL that can't be connected, by its port or its letters, is refused at the start, not by each stream."""
        for pattern in WRONG:
            for scheme in ("ws", "wss"):
                url = pattern.format(scheme)
                with self.assertRaises(ValueError, msg=url) as caught:
                    check_relay(url)
                self.assertEqual(
                    str(caught.exception), f"relay {url!r}: expected ws://host[:port] or wss://host[:port]"
                )
            url = pattern.format("https")
            with self.assertRaises(ValueError, msg=url) as caught:
                check_http("webhook", url, False)
            self.assertEqual(str(caught.exception), f"webhook {url!r}: expected https://host[:port]/path")

    def test_no_relay(self) -> None:
        """A relay's URL has no user, no query, no fragment, and its scheme in small letters, as on the bus."""
        for url in ("wss://a@host", "wss://host?a", "wss://host/#a", "WSS://host", "https://host", "host:81", ""):
            with self.assertRaises(ValueError, msg=url):
                check_relay(url)

    def test_right(self) -> None:
        """Ports that there are, addresses and paths are taken."""
        for url in ("wss://host", "ws://127.0.0.1:1", "wss://[::1]:65535/r1/", "wss://a-b.example:8443/p"):
            check_relay(url)
        check_http("webhook", "https://host:65535/a?b=%C3%B6", False)
