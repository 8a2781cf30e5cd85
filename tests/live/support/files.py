"""Files that a program may read at any time while a test changes them."""

from pathlib import Path


def change(path: Path, *changes: tuple[str, str]) -> None:
    """Put new texts in place of old ones, all at once: nobody reads a half of it, and it may be read by the same."""
    text = path.read_text()
    for old, new in changes:
        if old not in text:
            raise AssertionError(f"no {old!r} in {path}")
        text = text.replace(old, new)
    beside = path.with_name(f"{path.name}.new")
    beside.touch(mode=path.stat().st_mode & 0o777)
    beside.write_text(text)
    beside.replace(path)
