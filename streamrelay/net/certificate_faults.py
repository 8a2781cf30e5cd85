"""Certificates that don't hold good, in words: for whom, why, since when."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509

from streamrelay.logs import Several

SOON: Final = timedelta(days=14)
"""Time before a certificate's end from which on it is said."""
NOT_YET, EXPIRED, SELF_SIGNED, UNTRUSTED_ROOT, PURPOSE = 9, 10, 18, 19, 26
"""OpenSSL's codes of faults (X509_V_ERR_…)."""
UNKNOWN_ISSUER: Final = (2, 20, 21)
OTHER_NAME: Final = (62, 64)
_SHOWN: Final = 3


class CertificateFault(Exception):
    """Loss of a connection whose peer's certificate doesn't hold good; the text says why, in one line."""


def fault(code: int, certificate: x509.Certificate | None, wanted: str = "", setting: str = "ca") -> CertificateFault:
    """Make the fault that OpenSSL has found with a peer's certificate. `wanted` is the name that it should have had,
    `setting` the one that says whom we trust."""
    try:
        return CertificateFault(f"TLS: {_words(code, certificate, wanted, setting)}")
    except ValueError:  # of what a stranger took for a name or a time
        return CertificateFault("TLS: the certificate can't be read")


def _words(code: int, certificate: x509.Certificate | None, wanted: str, setting: str) -> str:
    if certificate is None:
        return f"the certificate doesn't hold good (OpenSSL's fault {code})"
    who = f"the certificate of {label(certificate)}"
    if code in (NOT_YET, EXPIRED):
        return f"{who} {lapse(certificate) or 'is out of its time'}; this machine's clock says {_shown(_now())}"
    if code in OTHER_NAME:
        names = hosts_of(certificate)
        shown = ", ".join(names[:_SHOWN]) + (" …" if names[_SHOWN:] else "")
        return f"the certificate is for another host: for {shown or 'none'}, not for {wanted}"
    if code == SELF_SIGNED:
        return f"{who} is self-signed, and not in {setting}"
    if code == UNTRUSTED_ROOT:
        return f"the certificate's CA, {label(certificate)}, is unknown, not in {setting}"
    if code in UNKNOWN_ISSUER:
        issuer = _common(certificate.issuer)
        return f"{who} has an unknown issuer, {issuer}, not in {setting}; an intermediate may be missing in its file"
    if code == PURPOSE:
        return f"{who} isn't made for this use (its extended key usage)"
    return f"{who} doesn't hold good (OpenSSL's fault {code})"


def decoded(certificate: Any) -> x509.Certificate | None:
    """Return a certificate of pyOpenSSL's as one that can be read; None if it can't."""
    try:
        read: x509.Certificate = certificate.to_cryptography()
        return read
    except ValueError:  # a stranger's
        return None


def lapse(certificate: x509.Certificate, now: datetime | None = None) -> str:
    """Say that a certificate has expired, or will within `SOON`, or isn't valid yet; empty if all is well."""
    now = now or _now()
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begin:
        return f"isn't valid before {_shown(begin)}"
    if now > end:
        return f"expired on {_shown(end)}"
    if end - now < SOON:
        return f"expires in {Several((end - now).days, 'day')}, on {_shown(end)}"
    return ""


def out_of_time(chain: Sequence[x509.Certificate]) -> x509.Certificate | None:
    """Return the first certificate of a chain that isn't valid now."""
    now = _now()
    return next((one for one in chain if not one.not_valid_before_utc <= now <= one.not_valid_after_utc), None)


def hosts_of(certificate: x509.Certificate) -> list[str]:
    """Return the DNS names and addresses that a certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    addresses = map(str, names.get_values_for_type(x509.IPAddress))
    return [*names.get_values_for_type(x509.DNSName), *addresses]


def label(certificate: x509.Certificate) -> str:
    """Return a certificate's name for logs: its first host's, or its subject's."""
    return (next(iter(hosts_of(certificate)), "") or _common(certificate.subject))[:64]


def _common(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return (str(common[0].value) if common else name.rfc4514_string())[:64] or "nobody"


def _now() -> datetime:
    return datetime.now(UTC)


def _shown(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"
