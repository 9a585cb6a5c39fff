"""Large files change: how long until that is at the other building, and what does it cost on the line?"""

import os
import random
import re
import subprocess
import time
from pathlib import Path
from typing import Protocol

from bench.bongsu import Bongsu
from bench.figures import Result, Samples, milliseconds, number, ratio, table
from bench.lsyncd import Lsyncd
from bench.peers import Carrier, Peer, Peers
from bench.rsyncd import Rsyncd
from tests.support.waiting import until

_GROWING, _APPENDED, _EACH = 64 * 1024 * 1024, 64_000, 4
_BIG = 200_000_000
#: How 1% changes: (places, bytes of each).
_WAYS = {"20 x 100 KiB": (20, 102_400), "2,000 x 1 KiB": (2_000, 1_024)}
#: Seconds in which the other side of a pair comes to rest.
_REST = 1.0


def run(rounds: int) -> Result:
    """Measure all in turn, `rounds` times."""
    samples = Samples()
    with Peers[Carrier]({"bongsu": Bongsu, "lsyncd": Lsyncd}) as growing:
        growing.each(_begin)
        for _ in range(rounds):
            growing.each(_appends, samples)
    with Peers[_Changing]({"bongsu": _Ours, "rsync": _Rsync}) as changing:
        changing.each(lambda peer: peer.begin())
        for way in _WAYS:
            for _ in range(rounds):
                changing.each(_change, way, samples)
    text = _appended_table(samples) + "\n\n" + _changed_table(samples)
    return Result(text, samples.rounds, growing.failed | changing.failed)


# ------------------------------------------------------------------ a file that grows


def _begin(peer: Carrier) -> None:
    (peer.docs / "log").write_bytes(os.urandom(_GROWING))
    _arrives(peer.docs / "log", peer.far / "log")


def _appends(peer: Carrier, samples: Samples) -> None:
    if not isinstance(peer, Bongsu):
        samples.add(f"append, {peer.name}, there", _append(peer.docs / "log", peer.far / "log"))
        return
    found = []
    for _ in range(_EACH):
        line = _Line(peer)
        there = _append(peer.docs / "log", peer.far / "log")
        found.append((there, *line.since()))
    for name, values in zip(("there", "durable", "bytes"), zip(*found, strict=True), strict=True):
        samples.add(f"append, bongsu, {name}", *values)


def _appended_table(samples: Samples) -> str:
    ours, theirs = "append, bongsu, there", "append, lsyncd, there"
    there, peer, durable = (samples.middle(name) for name in (ours, theirs, "append, bongsu, durable"))
    sent = ratio(samples.middle("append, bongsu, bytes"), _APPENDED, ".2f")
    rows = [
        ["bongsu", str(samples.count(ours)), milliseconds(durable), milliseconds(there), sent],
        ["lsyncd", str(samples.count(theirs)), "never said", milliseconds(peer), ""],
        ["lsyncd / bongsu", "", ratio(peer, durable), ratio(peer, there), ""],
    ]
    head = [f"{_APPENDED // 1000} kB appended to 64 MiB", "appends", "durable p50", "there p50", "bytes sent / change"]
    return table(head, rows)


def _append(path: Path, far: Path) -> float:
    time.sleep(_REST + random.uniform(0, 0.2))
    with path.open("ab") as file:
        file.write(os.urandom(_APPENDED))
    return _arrives(path, far)


# ------------------------------------------------------------------ a file that changes here and there


class _Changing(Peer, Protocol):
    """Has a file of 200 MB at both ends."""

    def begin(self) -> None:
        """Copy it for the first time."""

    def change(self, places: int, size: int) -> dict[str, float]:
        """Change it in so many places; return seconds and bytes by what they are."""


class _Ours:
    name = "bongsu"

    def __init__(self) -> None:
        self._bongsu = Bongsu()
        self._image = self._bongsu.docs / "image"
        self.close = self._bongsu.close

    def begin(self) -> None:
        """Write it and wait."""
        self._image.write_bytes(os.urandom(_BIG))
        _arrives(self._image, self._bongsu.far / "image")

    def change(self, places: int, size: int) -> dict[str, float]:
        """Change it and wait."""
        time.sleep(2 * _REST)  # its signature is made
        line = _Line(self._bongsu)
        _scatter(self._image, places, size)
        there = _arrives(self._image, self._bongsu.far / "image")
        durable, sent = line.since()
        return {"there": there, "durable": durable, "bytes": sent}


class _Rsync:
    name = "rsync"

    def __init__(self) -> None:
        self._rsyncd = Rsyncd()
        self._docs = self._rsyncd.root / "docs"
        self.close = self._rsyncd.close

    def begin(self) -> None:
        """Write it and run `rsync`."""
        self._docs.mkdir()
        (self._docs / "image").write_bytes(os.urandom(_BIG))
        self._once()

    def change(self, places: int, size: int) -> dict[str, float]:
        """Change it and run `rsync`."""
        _scatter(self._docs / "image", places, size)
        return self._once()

    def _once(self) -> dict[str, float]:
        start = time.monotonic()
        told = self._rsyncd.push(self._docs, "image", "--stats")
        seconds = time.monotonic() - start
        sent = re.search(r"Total bytes sent: ([\d,]+)", told)
        if sent is None:
            raise AssertionError(f"rsync did not tell its bytes:\n{told}")
        return {"there": seconds, "bytes": int(sent[1].replace(",", ""))}


def _change(peer: _Changing, way: str, samples: Samples) -> None:
    for name, value in peer.change(*_WAYS[way]).items():
        samples.add(f"{way}, {peer.name}, {name}", value)


def _changed_table(samples: Samples) -> str:
    rows = []
    for way in _WAYS:
        durable, there, sent, whole, theirs = (
            samples.middle(f"{way}, {name}")
            for name in ("bongsu, durable", "bongsu, there", "bongsu, bytes", "rsync, there", "rsync, bytes")
        )
        rows += [
            [f"bongsu, {way}", milliseconds(durable), milliseconds(there), number(sent)],
            [f"rsync, {way}", "flushes nothing", milliseconds(whole), number(theirs)],
            ["bongsu / rsync", *(ratio(*pair, ".2f") for pair in ((durable, whole), (there, whole), (sent, theirs)))],
        ]
    return table(["1% of 200 MB changed in place", "durable", "there", "bytes sent"], rows)


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
