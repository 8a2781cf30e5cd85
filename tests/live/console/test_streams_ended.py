"""The console's page of live streams: what is ended there, relays that are drained, and the page for everybody. In
Chromium."""

from typing import Any

from tests.live.console.console import DRAWN, PHONE, STILL, ConsoleTest
from tests.live.console.fleet import relay, stream
from tests.live.console.test_streams import StreamsTest


class Ended(StreamsTest):
    """The end of a stream by an operator."""

    def setUp(self) -> None:
        super().setUp()
        self.give(stream(1), stream(4, channels=3), stream(7, end=False))

    def test_button(self) -> None:
        """It asks first, by name; who says no ends nothing; who says yes is told that it is done."""
        page = self.come()
        self.row(page, 1).get_by_role("button").click()
        words = "End the stream of bob to app/log on web-1?"
        self.expect(self.dialog(page).get_by_role("heading")).to_have_text(words)
        self.dialog(page).get_by_role("button", name="Cancel").click()
        self.expect(self.row(page, 1)).to_be_focused()
        self.assertEqual(self.common.done, [])
        self.row(page, 4).get_by_role("button").click()
        self.expect(self.dialog(page)).to_contain_text("It carries 3 channels, which end with it.")
        self.assert_accessible(page, "asking for an end")
        self.confirm(page, "End stream")
        self.expect(self.row(page, 4)).to_have_count(0)
        self.expect(page.locator("#said")).to_have_text("Ended: the stream of bob to shell on web-2.")
        self.count(page, "2 streams")
        self.assertEqual(self.common.done, ["DELETE /v1/streams/s" + f"{4:021}"])
        self.expect(self.row(page, 7).get_by_role("button")).to_have_count(0)  # of who may only look
        self.assert_content()

    def test_keys(self) -> None:
        """By keys: from the filter into the rows, along them, and Delete asks; a press that can't be meant yet doesn't
        count; the next row has the focus then."""
        page = self.come()
        self.count(page, "3 streams")
        press = page.keyboard.press
        page.get_by_label("Filter streams").focus()
        press("ArrowDown")
        self.expect(self.row(page, 1)).to_be_focused()
        press("End")
        self.expect(self.row(page, 7)).to_be_focused()
        press("Delete")  # may only be looked at
        self.expect(self.dialog(page)).to_have_count(0)
        press("Home")
        page.evaluate(STILL, ["aria-disabled"])
        press("Delete")
        press("Enter")  # too soon, however late it is: the moment doesn't pass
        page.wait_for_function("stilled === 2")  # it begins anew with that
        self.expect(self.dialog(page)).to_be_visible()
        self.assertEqual(self.common.done, [])
        page.evaluate("unstill()")
        press("Escape")
        self.expect(self.row(page, 1)).to_be_focused()
        press("Delete")
        button = self.dialog(page).get_by_role("button", name="End stream")
        self.expect(button).to_be_focused()
        self.expect(button).not_to_have_attribute("aria-disabled", "true")
        press("Enter")
        self.expect(self.row(page, 1)).to_have_count(0)
        self.expect(self.row(page, 4)).to_be_focused()
        press("ArrowUp")
        self.expect(page.get_by_label("Filter streams")).to_be_focused()
        self.assert_content()

    def test_refused(self) -> None:
        """Why it can't be ended is said, and the stream stays."""
        self.common.refuses_done = {"status": 503, "code": "host_offline", "detail": "host web-1 is offline"}
        page = self.come()
        self.row(page, 1).get_by_role("button").click()
        self.confirm(page, "End stream")
        self.expect(page.locator("#said")).to_have_text("Host web-1 is offline.")
        self.expect(self.row(page, 1).get_by_role("button", name="End")).to_be_enabled()
        self.assert_content()


class Relays(StreamsTest):
    """The relays above the list."""

    def setUp(self) -> None:
        super().setUp()
        self.give(stream(1))
        self.common.relays = {
            "fra-1": relay("fra-1"),
            "fra-2": relay("fra-2", load=0.873, streams=1),
            "nyc-1": relay("nyc-1", state="draining", drain=False),
        }

    def relay(self, page: Any, name: str) -> Any:
        return page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name))

    def test_drain(self) -> None:
        """Each is shown with its state and load; to drain one asks first, says what becomes of its streams, and that no
        other takes any; it is undone without."""
        page = self.come()
        self.expect(page.locator(".relays summary")).to_have_text("3 relays: 2 ready, 1 stops")
        self.expect(self.relay(page, "fra-2")).to_contain_text("ready")
        self.expect(self.relay(page, "fra-2")).to_contain_text("87 %")
        self.expect(self.relay(page, "nyc-1").get_by_role("button")).to_have_count(0)
        self.assert_accessible(page, "relays")
        page.get_by_role("button", name="Drain fra-1").click()
        self.expect(self.dialog(page)).to_contain_text("The 42 that it has go on.")
        self.expect(self.dialog(page)).not_to_contain_text("No other relay")
        self.assert_accessible(page, "asking for a drain")
        self.dialog(page).get_by_role("button", name="Cancel").click()
        self.assertEqual(self.common.done, [])
        page.get_by_role("button", name="Drain fra-1").click()
        self.confirm(page, "Drain")
        self.expect(self.relay(page, "fra-1")).to_contain_text("drained")
        self.expect(page.locator("#said")).to_have_text("fra-1 is drained.")
        page.get_by_role("button", name="Drain fra-2").click()
        self.expect(self.dialog(page)).to_contain_text("No other relay here takes streams")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Undo the drain of fra-1").click()
        self.expect(self.relay(page, "fra-1")).to_contain_text("ready")
        self.assertEqual(self.common.done, ["POST /v1/relays/fra-1/drain", "DELETE /v1/relays/fra-1/drain"])
        self.assert_content()

    def test_refused(self) -> None:
        """Why one can't be drained is said."""
        self.common.refuses_done = {"status": 503, "code": "relay_offline", "detail": "relay fra-1 doesn't listen"}
        page = self.come()
        page.get_by_role("button", name="Drain fra-1").click()
        self.confirm(page, "Drain")
        self.expect(page.locator("#said")).to_have_text("Relay fra-1 doesn't listen.")
        self.expect(page.get_by_role("button", name="Drain fra-1")).to_be_enabled()
        self.assert_content()

    def test_not_told(self) -> None:
        """Who isn't told of relays sees nothing of them; who may not drain sees them without a button."""
        self.common.relays = {"relay": relay("relay", state="unknown", drain=False, load=0, streams=0)}
        page = self.come()
        self.expect(self.relay(page, "relay")).to_contain_text("not heard")
        self.expect(page.locator(".relays button")).to_be_hidden()
        self.common.relays = None
        self.expect(page.locator(".relays")).to_be_hidden()
        self.assert_content()


class Everybody(StreamsTest):
    """Light and dark, on a phone, by ear."""

    def setUp(self) -> None:
        super().setUp()
        self.give(*(stream(number, user="somebody.with.a.long.name@example.com") for number in range(40)), stream(41))
        self.common.relays = {name: relay(name) for name in ("fra-1", "fra-2", "nyc-1")}

    def test_axe(self) -> None:
        """axe-core finds nothing in it: light, dark, found, on a phone."""
        page = self.come(reduced_motion="reduce")
        self.count(page, "41 streams")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            self.assert_accessible(page, scheme)
            page.get_by_label("Filter streams").fill("somebody web-1")
            self.expect(page.locator("#streams mark").first).to_be_visible()
            self.assert_accessible(page, f"{scheme}, found")
            page.get_by_label("Filter streams").fill("")
        page.set_viewport_size(PHONE["viewport"])
        self.assert_accessible(page, "as wide as a phone")
        self.assert_content()

    def test_phone(self) -> None:
        """At 390 pixels nothing is wider than the screen, or too small to hit; a stream can be ended."""
        page = self.come(**PHONE)
        self.count(page, "41 streams")
        self.assertEqual(page.evaluate("document.documentElement.scrollWidth"), 390)
        self.assertEqual(page.evaluate("document.querySelector('#streams').scrollWidth"), 390)
        small = "[...document.querySelectorAll('#streams :is(button, input, select), .bar a')].filter((one) => "
        small += "one.checkVisibility() && one.getBoundingClientRect().height < 40).map((one) => one.outerHTML)"
        self.assertEqual(page.evaluate(small), [])
        self.row(page, 0).get_by_role("button").tap()
        self.confirm(page, "End stream")
        self.expect(self.row(page, 0)).to_have_count(0)
        page.get_by_role("button", name="Hosts").tap()
        self.expect(page.locator("#hosts")).to_be_in_viewport()
        page.keyboard.press("Escape")
        self.assert_content()

    def test_widths(self) -> None:
        """However wide the page is, no row is wider than its list."""
        page = self.come()
        self.count(page, "41 streams")
        for width in (1400, 1050, 900, 730, 390):
            page.set_viewport_size({"width": width, "height": 800})
            page.evaluate(DRAWN)
            wider = page.evaluate(
                "(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector('.streams-rows'))"
            )
            self.assertLessEqual(wider, 0, width)
        self.assert_content()

    def test_picture(self) -> None:
        """As it stands in docs/."""
        users = ("alice", "bob", "carol", "deploy")
        self.give(*(stream(number, user=users[number % 4]) for number in range(3, 4200)))
        self.common.relays["fra-2"] = relay("fra-2", state="draining", drained=True, load=0.31, streams=7)  # type: ignore[index]
        page = self.come(viewport={"width": 1120, "height": 580})
        self.count(page, "4,197 streams")
        page.mouse.move(5, 500)
        self.pictures(page, "console-streams")
        self.assert_content()


class Real(ConsoleTest):
    """A platform, an agent and a relay that are real."""

    def test_ended(self) -> None:
        """What somebody has opened is listed with their name; who ends it there ends it for them, and they are told."""
        page = self.signed_in()
        panel = self.open_target(page, "shell")
        operator = self.signed_in("#/streams")
        row = operator.get_by_role("row").filter(has_text="alice").filter(has_text="shell").last
        self.expect(row.get_by_role("gridcell").first).to_have_text("host-1")
        row.get_by_role("button").click()
        button = operator.get_by_role("dialog").get_by_role("button", name="End stream")
        self.expect(button).not_to_have_attribute("aria-disabled", "true")
        button.click()
        self.expect(operator.locator("#said")).to_have_text("Ended: the stream of alice to shell on host-1.")
        self.expect(panel.locator("p.words")).to_have_text("Ended by an operator.")
        self.expect(operator.locator("#streams .relays")).to_contain_text("not heard")
        self.assert_content()
