"""The viewer of VNC, on a bare page under the platform's policy, at real machines of QEMU."""

import socket

from tests.live.support.machine import Machine
from tests.live.support.ports import free_port
from tests.live.support.sockets import reset, take
from tests.live.viewers.screens import ENDS, ScreenTest, echoes


class Vnc(ScreenTest):
    """viewers/vnc.js: noVNC on a stream."""

    def vnc(self, name: str, more: str = "") -> tuple[Machine, str]:
        """A machine with VNC on a port, and its target."""
        port = free_port()
        return self.machine(name, vnc=f"127.0.0.1:{port - 5900}{more}"), f"vnc/{port}"

    def test_screen_and_keys(self) -> None:
        """The machine's screen is there pixel by pixel, and so is what is typed; of two machines at once, too."""
        machines = []
        for name in ("one", "two"):
            machine, target = self.vnc(name)
            machines.append(machine)
            self.show("vnc", target)
        for number, machine in enumerate(machines):
            before = self.same(machine, number)
            self.type("hello", number)
            echoes(machine, "\nhello")
            self.assertGreater(self.same(machine, number), before)
        self.type(" again", 0)
        echoes(machines[0], "\nhello again")
        self.assertTrue(machines[1].shown.endswith("\nhello"))
        self.assert_content()

    def test_actions(self) -> None:
        """Text is typed as by a keyboard, Ctrl-Alt-Del boots the machine again, and nothing is left of a closed tab."""
        machine, target = self.vnc("one")
        self.show("vnc", target)
        self.same(machine)
        self.view.evaluate("void tabs[0].act('Type text …')")
        self.view.get_by_label("Text", exact=True).fill("Hello: 'World' {_}?")
        self.view.keyboard.press("Control+Enter")
        echoes(machine, "\nHello: 'World' {_}?")
        self.until("() => document.activeElement.matches('#tab0 canvas')", what="the focus")
        self.type("!")
        echoes(machine, "?1")
        self.view.evaluate("void tabs[0].act('Ctrl-Alt-Del')")
        echoes(machine, "?1This is one.\n")
        self.same(machine)
        self.view.evaluate("tabs[0].viewer.destroy()")
        outcome = self.wait_state(0, "closed")["outcome"]
        self.assertEqual((outcome["code"], outcome["clean"]), (1000, True))
        self.assertEqual(self.view.evaluate("tab0.childElementCount"), 0)
        self.assert_content()

    def test_reconnect(self) -> None:
        """The last picture stays when the machine is gone; the next stream shows the new one, and takes keys."""
        machine, target = self.vnc("one")
        self.show("vnc", target)
        self.stopped(machine)
        port = int(target.removeprefix("vnc/"))
        machine = self.machine("one", vnc=f"127.0.0.1:{port - 5900}")
        self.again()
        self.same(machine)
        self.type("hello")
        echoes(machine, "\nhello")
        self.assertEqual(self.view.locator("#tab0 canvas").count(), 1)
        self.assert_content()

    def test_password(self) -> None:
        """A server that wants a password gets what was entered in a form; a wrong one is told in words."""
        machine, target = self.vnc("one", ",password=on")
        machine.ask("set_password", protocol="vnc", password="sesame")
        self.show("vnc", target, state="")
        for password, state in (("open", "failed"), ("sesame", "connected")):
            field = self.view.get_by_label("Password", exact=True)
            self.assertEqual(field.get_attribute("type"), "password")
            field.fill(password)
            self.view.keyboard.press("Enter")
            tab = self.wait_state(0, state)
            if state == "failed":
                self.assertEqual(tab["error"], "the VNC server refused: Authentication failed")
                self.assertFalse(tab["outcome"]["transient"])
                self.view.evaluate("void tabs[0].connect()")
        self.same(machine)
        self.assertEqual(self.view.locator("form").count(), 0)
        self.view.evaluate("tabs[0].session.close()")
        self.assertTrue(self.wait_state(0, "closed")["outcome"]["clean"])
        self.view.evaluate("void tabs[0].connect()")
        self.view.get_by_role("button", name="Cancel").click()
        self.assertIn("no user or password was given", self.wait_state(0, "failed")["error"])
        self.assert_content()

    def test_view_only(self) -> None:
        """A screen that is only looked at shows what happens on it, and neither keys nor actions reach the machine."""
        machine, target = self.vnc("one")
        self.show("vnc", target, view=True)
        self.show("vnc", target)
        before = self.same(machine, 0)
        self.type("typed", 0)
        self.assertEqual(self.view.evaluate("tabs[0].viewer.actions.length"), 0)
        self.type("hello", 1)
        echoes(machine, "This is one.\nhello")
        self.assertGreater(self.same(machine, 0), before)
        self.assert_content()

    def test_not_vnc(self) -> None:
        """What isn't a VNC server, and a target that ends before it has said a word, are told in words."""
        listener = self.listen()
        self.show("vnc", f"vnc/{listener.port}", state="")
        listener.accept().sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        tab = self.wait_state(0, "failed")
        self.assertEqual(tab["error"], "the target is not a VNC server that this viewer supports")
        self.assertFalse(tab["outcome"]["clean"])
        for number, end in ((1, reset), (2, socket.socket.close)):
            self.show("vnc", f"vnc/{listener.port}", state="")
            target = listener.accept()
            target.sendall(b"RFB 003.008\n")
            take(target, 12)
            end(target)
            self.assertEqual(self.wait_state(number, "failed")["error"], ENDS[number - 1])
        self.assert_content()
