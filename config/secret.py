"""Secrets: read from files of their own, and never printed."""

import stat
from pathlib import Path
from typing import NoReturn

from config.errors import SecretError

_LIMIT = 64 * 1024


class Secret:
    """A text that no log, error or dump shows. `reveal` hands it to the one library that needs it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("<secret>", spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")


def read_secret(path: Path) -> Secret:
    """Read a secret: UTF-8 text, without the spaces and newlines around it.

    Raises:
        SecretError: the file cannot be read, is empty, is no text or is far too long.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT + 1)
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        hint = "make the file, readable for the user that the daemon runs as, or correct the path"
        raise SecretError(f"read secret {path}: {cause.lower()}", hint) from None
    if len(content) > _LIMIT:
        raise SecretError(f"read secret {path}: longer than {_LIMIT} bytes", "the path names some other file")
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise SecretError(f"read secret {path}: it is no utf-8 text", "the path names some other file") from None
    if not text:
        raise SecretError(f"read secret {path}: it is empty", "write the secret into it, on one line")
    return Secret(text)


def world_readable(path: Path) -> bool:
    """Tell whether every user of this host may read the file; false when it is not there."""
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except (OSError, ValueError):
        return False
