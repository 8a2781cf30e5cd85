"""JSON of strangers, and claims of JWTs, as messages."""

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def decode(data: bytes | str, kind: type[T]) -> T:
    """Decode a message that a stranger sent as JSON; `ValueError` in one line if it is not one."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def convert(claims: dict[str, Any], kind: type[T]) -> T:
    """Make a message of a verified JWT's claims; `ValueError` in one line if they are not one."""
    try:
        message = msgspec.convert(claims, type=kind, strict=True)
        encode(message)  # a JWT's JSON may hold halves of surrogate pairs, which nobody could pass on
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise ValueError(str(error)) from None
    return message


encode = msgspec.json.encode
