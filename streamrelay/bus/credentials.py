"""Credentials of a program on the bus: an NKEY, alone or in a credentials file with a user's JWT.

An NKEY is NATS' own form of an Ed25519 key. The files are read anew for each connection, so that a renewed one counts
without a new start.
"""

import base64
import os
import re
from typing import Final

import nkeys
from attrs import define, field

from streamrelay.errors import ConfigError
from streamrelay.files import read_secret

PUBLIC: Final = r"U[A-Z2-7]{55}"
"""Pattern of the public half of a user's NKEY."""
_SEED: Final = rb"SU[A-Z2-7]{56}"
_JWT: Final = rb"-BEGIN NATS USER JWT-+\s+([!-~]{1,65536})\s+-+END"
_KEY: Final = rb"-BEGIN USER NKEY SEED-+\s+([!-~]{1,128})\s+-+END"


@define(frozen=True)
class Credentials:
    """A user of a NATS server: a public key or a JWT that is shown, and the private key that proves it to be ours."""

    pair: nkeys.KeyPair = field(repr=False)
    jwt: str = field(default="", repr=False)

    @property
    def public(self) -> str:
        return str(self.pair.public_key.decode())

    def sign(self, nonce: str) -> bytes:
        return base64.b64encode(self.pair.sign(nonce.encode()))


def load(nkey: str, creds: str) -> Credentials | None:
    """Read whichever file is named, or raise `ConfigError`; None if none is."""
    if nkey:
        return Credentials(_pair(nkey, read_secret(nkey, "NKEY seed").strip()))
    if not creds:
        return None
    text = read_secret(creds, "credentials file")
    jwt, seed = re.search(_JWT, text), re.search(_KEY, text)
    if jwt is None or seed is None:
        raise ConfigError(f"{creds}: not a NATS credentials file: a user's JWT and NKEY seed are expected")
    return Credentials(_pair(creds, seed[1]), jwt[1].decode())


def public_key(path: str) -> str:
    """Return the public half of the NKEY whose seed a file holds, or raise `ConfigError`."""
    return Credentials(_pair(path, read_secret(path, "NKEY seed").strip())).public


def generate() -> tuple[bytes, str]:
    """Make a new user's seed, of 32 bytes from the kernel, and return it with its public half."""
    seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
    return seed, Credentials(nkeys.from_seed(bytearray(seed))).public


def _pair(path: str, seed: bytes) -> nkeys.KeyPair:
    if re.fullmatch(PUBLIC.encode(), seed):
        raise ConfigError(f"{path}: this is a public NKEY; its seed (SU…) is expected")
    if re.fullmatch(_SEED, seed):
        prefix, raw = nkeys.decode_seed(bytearray(seed))
        if nkeys.encode_seed(raw, prefix) == seed:  # which compares the checksum; the library itself doesn't
            return nkeys.from_seed(bytearray(seed))
    raise ConfigError(f"{path}: not the seed of a user's NKEY (SU…)")
