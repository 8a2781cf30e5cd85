"""The relay as production has it, with signed tokens."""

from typing import Any

from bench.processes import Bench
from bench.relays import Streamrelay
from streamrelay.protocol.tokens import Signer, generate, new_id


class SignedStreamrelay(Streamrelay):
    """Each leg's token is one of its own, signed by the load."""

    def start(self, bench: Bench) -> None:
        folder = bench.folder / "signed"
        folder.mkdir(exist_ok=True)
        private, self._public = folder / "platform.key", folder / "platform.pub"
        if not private.exists():
            generate(private, self._public)
        self._signer = Signer.load(str(private))
        super().start(bench)

    def tokens(self) -> tuple[str, ...]:
        return (f"--platform-key={self._public}",)

    def paths(self) -> tuple[str, str]:
        about: dict[str, Any] = {"sub": new_id(), "host": "bench-host", "target": "source", "user": "bench"}
        agent, client = (self._signer.mint("relay", role=role, **about) for role in ("agent", "client"))
        return f"/agent/{agent}", f"/client/{client}"


class OpaqueStreamrelay(Streamrelay):
    """The other one, beside it."""

    name = "streamrelay, opaque"
