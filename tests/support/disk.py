"""A disk that fails when told: `disk.c` preloaded into real processes. It writes what they did to a log."""

import atexit
import ctypes
import functools
import json
import multiprocessing
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

_SOURCE = Path(__file__).with_name("disk.c")
_PRELOAD = "LD_PRELOAD"
_HEAD = struct.Struct("=cQqII")


class Step(NamedTuple):
    """One call that changed a disk, or what a test noted between two (`what` is `A`).

    Attributes:
        what: the letter that `disk.c` gives it.
        inode: of the file.
        offset: of a write, or the length after a cut.
        path: of the file or folder; the old name of a rename.
        data: bytes written, a rename's new name, a link's target, or a test's note.
    """

    what: str
    inode: int
    offset: int
    path: str
    data: bytes


@functools.cache
def library() -> Path:
    """The shim, compiled once."""
    folder = Path(tempfile.mkdtemp(prefix="bongsu-disk-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = folder / "disk.so"
    command = ["gcc", "-O1", "-shared", "-fPIC", "-o", str(made), str(_SOURCE), "-ldl", "-lpthread"]
    subprocess.run(command, check=True)
    return made


def environment(folder: Path, base: str, *, kill: str = "", fail: str = "", log: Path | None = None) -> dict[str, str]:
    """What a process must be started with so that its disk below `folder` does this; the names are `disk.c`'s."""
    told = {"LD_PRELOAD": str(library()), "DISK_FOLDER": str(folder), "DISK_BASE": base}
    return {**os.environ, **told, "DISK_KILL": kill, "DISK_FAIL": fail, "DISK_LOG": str(log or "")}


def arm(folder: Path, base: str, *, kill: str = "", fail: str = "", log: Path | None = None, slow_us: int = 0) -> None:
    """The same from within a process into which the shim was preloaded."""
    texts = (str(folder), base, str(log or ""), kill, fail)
    ctypes.CDLL(None).disk_arm(*(text.encode() for text in texts), slow_us)


def processes(*preload: str) -> Any:
    """Processes that are forked from one into which the shim was preloaded: one start of Python for all.

    Args:
        preload: modules that the first caller's processes have loaded already.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    before = os.environ.get(_PRELOAD)
    os.environ[_PRELOAD] = str(library())
    try:
        from multiprocessing import forkserver, resource_tracker

        resource_tracker.ensure_running()
        forkserver.ensure_running()
    finally:
        os.environ.pop(_PRELOAD)
        if before is not None:
            os.environ[_PRELOAD] = before
    return context


def note(log: Path, about: Mapping[str, Any]) -> None:
    """Write something of one's own between the steps: what is in the log before it has happened."""
    data = json.dumps(about).encode()
    record = _HEAD.pack(b"A", 0, 0, 0, len(data)) + data
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(descriptor, record)
    finally:
        os.close(descriptor)


def steps(log: Path) -> Iterator[Step]:
    """All that was written to a log, in order."""
    data = memoryview(log.read_bytes())
    at = 0
    while at < len(data):
        what, inode, offset, path, rest = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        name = bytes(data[at : at + path])
        yield Step(what.decode(), inode, offset, os.fsdecode(name), bytes(data[at + path : at + path + rest]))
        at += path + rest


_WHATS = {"C": "make", "W": "write", "T": "cut", "F": "flush", "Y": "flush", "D": "flush-folder", "R": "rename"}
_WHATS |= {"U": "remove", "M": "folder", "L": "link", "S": "symlink"}


def event(step: Step, base: Path) -> str:
    """The name that `disk.c` gives a step's event; empty for a note."""
    if step.what not in _WHATS:
        return ""
    path = os.fsdecode(step.data) if step.what in "RL" else step.path
    inside = path.removeprefix(str(base)).lstrip("/")
    where = "mark" if inside.startswith("current.json") else inside.split("/")[0].split(".")[0] or "root"
    return f"{_WHATS[step.what]} {where}"
