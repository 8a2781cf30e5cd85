"""A peer that seals its own TLS 1.3 records, as OpenSSL's API sends no KeyUpdates one after another (RFC 8446 §7.3)."""

from attrs import define, field
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from OpenSSL import SSL

HANDSHAKE, APPLICATION = 22, 23
UPDATE, UPDATE_BOTH = b"\x18\0\0\1\0", b"\x18\0\0\1\1"
"""KeyUpdates: of the sender's key, and one that asks for the receiver's too."""


def expand(secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label without a context (RFC 8446 §7.1)."""
    label = b"tls13 " + label
    return HKDFExpand(SHA256(), size, size.to_bytes(2) + bytes([len(label)]) + label + b"\0").derive(secret)


@define
class Sealer:
    """Keys of one direction after the handshake, and how many records they have sealed."""

    secret: bytes
    sealed: int = 0
    _iv: bytes = b""
    _aead: AESGCM = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._aead, self._iv = AESGCM(expand(self.secret, b"key", 16)), expand(self.secret, b"iv", 12)

    def seal(self, kind: int, content: bytes) -> bytes:
        """One record."""
        inner = content + bytes([kind])
        head = b"\x17\x03\x03" + (len(inner) + 16).to_bytes(2)
        nonce = (int.from_bytes(self._iv) ^ self.sealed).to_bytes(12)
        self.sealed += 1
        return head + self._aead.encrypt(nonce, inner, head)

    def updates(self, count: int, message: bytes = UPDATE) -> bytes:
        """So many KeyUpdates, each sealed by the key that the one before it brought."""
        records = []
        for _ in range(count):
            records.append(self.seal(HANDSHAKE, message))
            self.secret, self.sealed = expand(self.secret, b"traffic upd", 32), 0
            self.__attrs_post_init__()
        return b"".join(records)


@define
class Secrets:
    """What a context's connections tell of their keys, by the lines' labels; the latest connection's count."""

    found: dict[bytes, bytes] = field(factory=dict)

    def watch(self, context: SSL.Context) -> None:
        """Hear of the keys of each connection that is made from now on, all with AES-128 of TLS 1.3."""
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.set_tls13_ciphersuites(b"TLS_AES_128_GCM_SHA256")
        context.set_keylog_callback(self._hear)

    def _hear(self, connection: SSL.Connection, line: bytes) -> None:
        label, _, secret = line.split()
        self.found[label] = bytes.fromhex(secret.decode())

    def sealer(self, side: str) -> Sealer:
        """The keys by which one side seals: CLIENT or SERVER."""
        return Sealer(self.found[f"{side}_TRAFFIC_SECRET_0".encode()])
