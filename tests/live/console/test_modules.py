"""The console's modules that need no page, in Node."""

from tests.live.support.case import LiveTest
from tests.live.support.node import Scenario


class Modules(LiveTest):
    """A connection and the list of hosts, without a browser."""

    def test_connection(self) -> None:
        """A viewer that fails while its stream is open ends the tab's connection, and its words stand there."""
        Scenario("connection_viewer_fails", {}, "console.mjs").result()

    def test_hosts(self) -> None:
        """An answer that can't be read doesn't make the page ask without a pause."""
        Scenario("hosts_answer_without_list", {}, "console.mjs").result()

    def test_logs(self) -> None:
        """Only what can be no other kind of target by the list of hosts is taken for a log."""
        Scenario("hosts_names_of_logs", {}, "console.mjs").result()

    def test_several(self) -> None:
        """Several logs of a tab have an address, and are told as one: which isn't connected, and why."""
        Scenario("connections_several", {}, "console.mjs").result()
        Scenario("links_several", {}, "console.mjs").result()
