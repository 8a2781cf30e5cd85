"""Addresses of TCP ports as text."""


def split_address(address: str, lowest: int = 1) -> tuple[str, int]:
    """Split ``host:port`` or ``[address]:port``, or raise `ValueError`; the port is `lowest` to 65535."""
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"address {address!r}: write an IPv6 address as [address]:port")
    if not colon or not host or not (port.isdecimal() and lowest <= int(port) < 65536):
        raise ValueError(f"address {address!r}: expected host:port")
    return host, int(port)


def join_address(host: str, port: int) -> str:
    """Return what `split_address` splits."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
