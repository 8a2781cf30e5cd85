"""The certificate that an agent must show, where a relay has ``agent_ca``."""

from streamrelay.errors import Refused


def check_certificate(host: str, names: tuple[str, ...] | None) -> None:
    """Raise `Refused` unless an agent has shown a certificate, and in the name of its token's host if that has one."""
    if names is None:
        raise Refused(403, "certificate", detail="it has shown no certificate")
    if host and host.lower() not in names:
        raise Refused(403, "certificate", detail=f"its certificate is for {', '.join(names)[:200]}, not for {host}")
