"""A server of one kind of screen, without a machine."""

from tests.live.support.threaded_server import ThreadedServer


class FakeServer(ThreadedServer):
    """A server at which viewers are opened as at a machine's."""

    kind = ""
    """Viewer that shows it, of which its target's name is."""

    def __init__(self) -> None:
        super().__init__()
        self.target = f"{self.kind}/{self.port}"
