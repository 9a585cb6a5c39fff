"""Large files change: how long until that is at the other building, and what does it cost on the line?"""

import os
import random
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from bench.bongsu import Bongsu
from bench.figures import milliseconds, percentile, table
from bench.lsyncd import RSYNCD, Lsyncd
from tests.support.mosquitto import answers
from tests.support.ports import free_port
from tests.support.process import Program
from tests.support.waiting import until

_GROWING, _APPENDED, _EACH = 64 * 1024 * 1024, 64_000, 4
_BIG = 200_000_000
#: How 1% changes: (places, bytes of each).
_WAYS = {"20 x 100 KiB": (20, 102_400), "2,000 x 1 KiB": (2_000, 1_024)}
#: Seconds in which the other side of a pair comes to rest.
_REST = 1.0


def run(rounds: int) -> str:
    """Measure both in turn, `rounds` times, and return the tables."""
    return _appends(rounds) + "\n\n" + _changes(rounds)


# ------------------------------------------------------------------ a file that grows


def _appends(rounds: int) -> str:
    bongsu, lsyncd = Bongsu(), Lsyncd()
    there: dict[str, list[float]] = {"bongsu": [], "lsyncd": []}
    durable, wire = [], []
    try:
        for peer in (bongsu, lsyncd):
            (peer.docs / "log").write_bytes(os.urandom(_GROWING))
            _arrives(peer.docs / "log", peer.far / "log")
        for _ in range(rounds):
            for _ in range(_EACH):
                line = _Line(bongsu)
                there["bongsu"].append(_append(bongsu.docs / "log", bongsu.far / "log"))
                seconds, sent = line.since()
                durable.append(seconds)
                wire.append(sent)
            there["lsyncd"].append(_append(lsyncd.docs / "log", lsyncd.far / "log"))
    finally:
        bongsu.close()
        lsyncd.close()
    head = [f"{_APPENDED // 1000} kB appended to 64 MiB", "appends", "durable p50", "there p50", "bytes sent / change"]
    ours, theirs = (percentile(there[name], 0.5) for name in there)
    rows = [
        ["bongsu", str(len(durable)), milliseconds(percentile(durable, 0.5)), milliseconds(ours), _ratio(wire)],
        ["lsyncd", str(len(there["lsyncd"])), "never said", milliseconds(theirs), ""],
        ["lsyncd / bongsu", "", "", f"{theirs / ours:,.0f} x", ""],
    ]
    return table(head, rows)


def _ratio(wire: list[int]) -> str:
    return f"{statistics.median(wire) / _APPENDED:.2f}"


def _append(path: Path, far: Path) -> float:
    time.sleep(_REST + random.uniform(0, 0.2))
    with path.open("ab") as file:
        file.write(os.urandom(_APPENDED))
    return _arrives(path, far)


# ------------------------------------------------------------------ a file that changes here and there


def _changes(rounds: int) -> str:
    bongsu, rsync = Bongsu(), _Rsync()
    rows = []
    try:
        for peer in (bongsu, rsync):
            (peer.docs / "image").write_bytes(os.urandom(_BIG))
        rsync.once()
        _arrives(bongsu.docs / "image", bongsu.far / "image")
        for way, (places, size) in _WAYS.items():
            ours, theirs = [], []
            for _ in range(rounds):
                ours.append(_ours(bongsu, places, size))
                _scatter(rsync.docs / "image", places, size)
                theirs.append(rsync.once())
            durable, there, wire = (statistics.median(column) for column in zip(*ours, strict=True))
            whole, peer_wire = (statistics.median(column) for column in zip(*theirs, strict=True))
            rows += [
                [f"bongsu, {way}", milliseconds(durable), milliseconds(there), f"{wire:,.0f}"],
                [f"rsync, {way}", "flushes nothing", milliseconds(whole), f"{peer_wire:,.0f}"],
                ["bongsu / rsync", f"{durable / whole:.2f}", f"{there / whole:.2f}", f"{wire / peer_wire:.2f}"],
            ]
    finally:
        bongsu.close()
        rsync.close()
    return table(["1% of 200 MB changed in place", "durable", "there", "bytes sent"], rows)


def _ours(bongsu: Bongsu, places: int, size: int) -> tuple[float, float, int]:
    time.sleep(2 * _REST)  # its signature is made
    line = _Line(bongsu)
    _scatter(bongsu.docs / "image", places, size)
    there = _arrives(bongsu.docs / "image", bongsu.far / "image")
    seconds, sent = line.since()
    return seconds, there, sent


def _scatter(path: Path, places: int, size: int) -> None:
    blocks = [(random.randrange(_BIG - size), os.urandom(size)) for _ in range(places)]
    with path.open("r+b") as file:
        for at, block in blocks:
            file.seek(at)
            file.write(block)


# ------------------------------------------------------------------ measuring


def _arrives(path: Path, far: Path) -> float:
    """Seconds until the far file is as large and as new as this one, which was just closed; then they are compared."""
    start, wanted = time.perf_counter(), path.stat()
    while not _is(far, wanted):
        if time.perf_counter() - start > 120:
            raise AssertionError(f"{far} did not arrive within 120 s")
        time.sleep(0.001)
    seconds = time.perf_counter() - start
    if far.read_bytes() != path.read_bytes():
        raise AssertionError(f"{far} is not what was written")
    return seconds


def _is(far: Path, wanted: os.stat_result) -> bool:
    try:
        found = far.stat()
    except FileNotFoundError:
        return False
    return (found.st_size, found.st_mtime_ns) == (wanted.st_size, wanted.st_mtime_ns)


class _Line:
    """What the replicator says of its changes, and the kernel of its connection, since this was made."""

    def __init__(self, bongsu: Bongsu) -> None:
        self._bongsu = bongsu
        self._sent = self._bytes()
        self._seconds, self._count = self._durable()

    def since(self) -> tuple[float, int]:
        """Seconds from seen to durable of the one change, and bytes that left."""
        until(lambda: self._durable()[1] > self._count, "the change is durable")
        seconds, count = self._durable()
        return (seconds - self._seconds) / (count - self._count), self._bytes() - self._sent

    def _durable(self) -> tuple[float, float]:
        office = self._bongsu.office
        name = "bongsu_replication_durable_seconds"
        return office.metric("replicator", f"{name}_sum"), office.metric("replicator", f"{name}_count")

    def _bytes(self) -> int:
        port = self._bongsu.office.ports["stream"]
        told = subprocess.run(["ss", "-tinH", f"dport = :{port}"], capture_output=True, text=True, check=True).stdout
        return sum(map(int, re.findall(r"bytes_sent:(\d+)", told)))


class _Rsync:
    """An rsync daemon on the loopback address, and `rsync` to it."""

    def __init__(self) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="rsync-", dir="/tmp"))
        self.docs, self.far = self._root / "docs", self._root / "far"
        self.docs.mkdir()
        self.far.mkdir()
        self._port = free_port()
        settings = self._root / "rsyncd.conf"
        settings.write_text(RSYNCD.format(root=self._root, far=self.far, port=self._port))
        self._daemon = Program(["rsync", "--daemon", "--no-detach", f"--config={settings}"], self._root / "out")
        until(lambda: answers(self._port), "the rsync daemon answers")

    def once(self) -> tuple[float, int]:
        """Seconds of one whole run, and bytes that left."""
        start = time.perf_counter()
        command = ["rsync", "-a", "--stats", f"{self.docs}/", f"rsync://127.0.0.1:{self._port}/far/"]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        seconds = time.perf_counter() - start
        sent = re.search(r"Total bytes sent: ([\d,]+)", told)
        if sent is None:
            raise AssertionError(f"rsync did not tell its bytes:\n{told}")
        return seconds, int(sent[1].replace(",", ""))

    def close(self) -> None:
        """End it and remove everything."""
        self._daemon.terminate()
        shutil.rmtree(self._root, ignore_errors=True)
