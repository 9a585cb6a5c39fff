"""Which paths and source ids a vault takes: none that could lead outside its folder."""

import re

from replicator.errors import PathError

#: Most bytes of one name, as Linux has it.
NAME_MAX = 255
#: Most bytes of a whole path, as Linux has it.
PATH_MAX = 4096

_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def check_path(path: bytes) -> None:
    """Refuse a path that is not plainly below its source.

    Raises:
        PathError: it is empty, absolute, too long, or has a part that is empty, `.`, `..` or too long.
    """
    if not path or len(path) > PATH_MAX or b"\0" in path:
        raise PathError(f"take path {show(path)}: it is empty, over {PATH_MAX} bytes or holds a zero byte")
    for part in path.split(b"/"):
        if part in {b"", b".", b".."} or len(part) > NAME_MAX:
            raise PathError(f"take path {show(path)}: the part {show(part)!r} is no name")


def is_path(path: bytes) -> bool:
    """Whether `check_path` takes it."""
    try:
        check_path(path)
    except PathError:
        return False
    return True


def check_source(source: str) -> None:
    """Refuse a source id that is no plain name.

    Raises:
        PathError: it is not.
    """
    if not _SOURCE.fullmatch(source):
        raise PathError(f"take source {source[:80]!r}: letters, digits, - and _, at most 64, a letter or digit first")


def show(path: bytes) -> str:
    """A path for people: what is no UTF-8 is escaped, and so are control characters; at most 200 characters."""
    text = path[:800].decode("utf-8", "backslashreplace")
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return plain if len(plain) <= 200 else plain[:199] + "…"  # noqa: PLR2004 - as said above
