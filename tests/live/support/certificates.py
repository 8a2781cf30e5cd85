"""Certificates for one test's programs."""

from pathlib import Path

from tests.authority import Authority


def certificates(folder: Path, address: str = "127.0.0.1") -> Authority:
    """A private CA (ca.pem), and the relay's certificate for localhost and `address` (relay.pem, relay.key)."""
    authority = Authority(folder / "ca.pem")
    authority.issue(folder / "relay.pem", "localhost", address)
    return authority
