"""Public keys of platforms, in files that are read again when they change: relays and agents have them."""

from collections.abc import Callable

from attrs import define, field

from streamrelay.errors import ConfigError
from streamrelay.files import Watched
from streamrelay.logs import Logger
from streamrelay.protocol.tokens import Verifier

log = Logger()


@define(eq=False)
class PlatformKeys:
    """Files of these keys; without any nothing is signed. They are read at once, or `ConfigError` is raised."""

    paths: tuple[str, ...]
    audience: str
    use: Callable[[Verifier], None]
    """Called with a verifier that is to count from now on."""
    files: Watched = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.files = Watched("the platforms' public keys", lambda: self.paths, self._read, self._say)
        self.files.load()

    def take(self, paths: tuple[str, ...]) -> None:
        """Let other files count from now on, if there are any; or raise `ConfigError`, and nothing has changed."""
        before, self.paths = self.paths, paths if self.paths else ()
        try:
            self.files.load()
        except ConfigError:
            self.paths = before
            raise

    def _read(self) -> None:
        if self.paths:
            self.use(Verifier.load(list(self.paths), self.audience))

    def _say(self) -> None:
        if self.paths:
            log.info("the platforms' public keys read again: {names}", names=", ".join(self.paths))
