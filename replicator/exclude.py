"""Which paths of a source stay out."""

import fnmatch
import re
from collections.abc import Iterable


class Excludes:
    """Shell patterns (`*.tmp`, `~$*`, `cache/*`), matched with each part of a path and with the whole of it.

    What lies under an excluded folder is excluded with it. A path that becomes excluded is not deleted at the vault.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        parts = [re.compile(fnmatch.translate(pattern).encode("utf-8", "surrogateescape")) for pattern in patterns]
        self._patterns = [pattern.match for pattern in parts]
        self._known: dict[bytes, bool] = {}

    def __contains__(self, path: bytes) -> bool:
        """Whether this path, relative to the source, stays out."""
        if not self._patterns:
            return False
        parent, _, name = path.rpartition(b"/")
        return self._matches(name) or self._matches(path) or (bool(parent) and self._folder(parent))

    def _folder(self, path: bytes) -> bool:
        known = self._known.get(path)
        if known is None:
            if len(self._known) > _REMEMBERED:
                self._known.clear()
            known = self._known[path] = path in self
        return known

    def _matches(self, text: bytes) -> bool:
        return any(match(text) for match in self._patterns)


_REMEMBERED = 10_000
