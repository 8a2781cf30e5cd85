"""Addresses of TCP ports as text."""


def split_address(address: str) -> tuple[str, int]:
    """Host and port, or `ValueError`. A port that a pattern fills in is checked when it is."""
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"address {address!r}: write an IPv6 address as [address]:port")
    if not colon or not host or not (port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(f"address {address!r}: expected host:port")
    return host, int(port)
