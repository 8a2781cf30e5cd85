"""TLS records, counted by the headers in the sealed bytes before anything is spent on opening them (RFC 8446 §5.1).

OpenSSL limits neither how many records without content a peer sends, each of which costs as much as 4 KiB of content
(KeyUpdates, tickets, alerts), nor how small those with content are.
"""

from typing import Final

from attrs import define

from streamrelay.protocol.tls_errors import in_words

HELLO: Final = b"\x16"
"""First byte of whoever begins with TLS, which no text begins with."""
HEADER: Final = 5
TURN: Final = 64
"""Records that are opened at once; 64 KiB of a peer that fills its records are four."""
SHAKING: Final = 128 * 1024
"""What all records of a handshake may cost: OpenSSL takes certificates of 100 KiB at most."""
ALLOWANCE: Final = 16 * 1024
"""What records without content may cost after it: 256 small ones, or the tickets with which a server begins."""
COST: Final = 64
"""What a record without content costs, beside its bytes beyond `OVERHEAD`."""
OVERHEAD: Final = 40
"""Bytes of a record's header, type, nonce and tag, at most."""
RENEWAL: Final = 256
"""Bytes of content that renew 1 of the allowance: a peer may change its keys every 16 KiB, and nobody does so often."""
TOO_MANY: Final = "TLS: too many records without content"


def words(error: Exception) -> str:
    """Say why OpenSSL has given a connection up."""
    reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return "TLS: " + ("; ".join(in_words(str(reason[-1])) for reason in reasons if reason) or str(error) or "it failed")


@define(eq=False)
class Records:
    """The records that one peer sends, and what it is still allowed."""

    count: int = 0
    """Records that ended in the bytes of this turn."""
    _left: int = SHAKING
    _ends: int = 0  # bytes until the record under way ends; 0 if none is
    _whole: int = 0  # size of that record
    _sealed: int = 0  # bytes of the records that ended in this turn
    _head: bytes = b""  # of a header that came in part

    def turn(self, sealed: memoryview) -> int:
        """Count the records that end in these bytes; return how many bytes may be opened now."""
        size, at = len(sealed), self._ends
        self.count = self._sealed = 0
        if at > size:
            self._ends -= size
            return size
        if at:
            self.count, self._sealed, self._ends = 1, self._whole, 0
        if self._head:
            return self._complete(sealed)
        return self._walk(sealed, at)

    def _walk(self, sealed: memoryview, at: int) -> int:
        size, count, begin = len(sealed), self.count, at
        while count < TURN:
            if at + HEADER > size:
                self._head = bytes(sealed[at:])
                self._sealed += at - begin
                self.count = count
                return size
            end = at + HEADER + (sealed[at + 3] << 8 | sealed[at + 4])
            if end > size:
                self._ends, self._whole = end - size, end - at
                self._sealed += at - begin
                self.count = count
                return size
            at = end
            count += 1
        self._sealed += at - begin
        self.count = count
        return at

    def _complete(self, sealed: memoryview) -> int:
        """Go on with a header of which some bytes came before."""
        known = len(self._head)
        self._head += bytes(sealed[: HEADER - known])
        if len(self._head) < HEADER:
            return len(sealed)
        length = HEADER + int.from_bytes(self._head[3:])
        self._head, end = b"", length - known
        if end > len(sealed):
            self._ends, self._whole = end - len(sealed), length
            return len(sealed)
        self.count, self._sealed = 1, length
        return self._walk(sealed, end)

    def shaken(self) -> None:
        """Take note that the handshake is done, which is allowed more than what follows."""
        self._left = min(self._left, ALLOWANCE)

    def settle(self, opened: int, pieces: int, renew: bool = True) -> bool:
        """Charge what this turn brought, by its bytes of content and the records that had some; return False if it was
        too much. `renew`: False while the peer leaves unread what we sent, as records may want answers."""
        if renew:
            self._left = min(max(ALLOWANCE, self._left), self._left + opened // RENEWAL)
        if empty := self.count - pieces:
            self._left -= COST * empty + max(0, self._sealed - opened - OVERHEAD * self.count)
        return self._left >= 0
