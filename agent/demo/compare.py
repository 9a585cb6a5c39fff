"""Is a restored tree the one that was replicated? Byte for byte, with modes, times and links."""

import filecmp
import os
import stat
from pathlib import Path


def differences(wanted: Path, found: Path) -> list[str]:
    """Say for each path how the tree `found` differs from `wanted`; an empty list when it does not."""
    paths = _paths(wanted) | _paths(found)
    told = ((path, _differs(wanted / path, found / path)) for path in sorted(paths))
    return [f"{path}: {why}" for path, why in told if why]


def measure(folder: Path) -> tuple[int, int]:
    """Return how many files a tree has and how many bytes they hold."""
    sizes = [info.st_size for path in _paths(folder) if stat.S_ISREG((info := (folder / path).lstat()).st_mode)]
    return len(sizes), sum(sizes)


def _paths(root: Path) -> set[str]:
    found: set[str] = set()
    for folder, folders, files in os.walk(root):
        found.update(os.path.relpath(Path(folder, name), root) for name in folders + files)
    return found


def _differs(wanted: Path, found: Path) -> str:
    if not os.path.lexists(found):
        return "it did not come back"
    if not os.path.lexists(wanted):
        return "it came back and should not"
    one, two = wanted.lstat(), found.lstat()
    if stat.S_IFMT(one.st_mode) != stat.S_IFMT(two.st_mode):
        return "it is another kind"
    if one.st_mtime_ns != two.st_mtime_ns:
        return f"its time is {two.st_mtime_ns} ns, not {one.st_mtime_ns}"
    return _content_differs(wanted, found, one, two)


def _content_differs(wanted: Path, found: Path, one: os.stat_result, two: os.stat_result) -> str:
    if stat.S_ISLNK(one.st_mode):
        return "" if wanted.readlink() == found.readlink() else "it links elsewhere"
    if one.st_mode != two.st_mode:
        return f"its mode is {two.st_mode:o}, not {one.st_mode:o}"
    if stat.S_ISREG(one.st_mode) and not filecmp.cmp(wanted, found, shallow=False):
        return "its bytes differ"
    return ""
