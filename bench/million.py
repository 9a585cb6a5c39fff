"""A tree of very many files in which nothing changes: what a restart, a scan and standing by cost."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.figures import table
from bench.rsyncd import Rsyncd
from replicator.exclude import Excludes
from replicator.journal import Journal
from replicator.scanner import Found, Scanner
from tests.acceptance.office import Office
from tests.support.process import Program
from tests.support.waiting import until

#: A quick run by default; `BENCH_FILES=1000000 python -m bench million` is the whole one.
_COUNT = int(os.environ.get("BENCH_FILES", "200000"))
_FOLDER, _CHANGED = 100, 10
_LIMIT = 3600.0
#: Seconds over which the processor time of standing by is counted.
_IDLE = 20.0

_WALK = """
import os, sys, time
start, used, count, folders = time.perf_counter(), time.process_time(), 0, [sys.argv[1]]
while folders:
    with os.scandir(folders.pop()) as entries:
        for entry in entries:
            entry.stat(follow_symlinks=False)
            count += 1
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
print(time.perf_counter() - start, time.process_time() - used)
"""


def run(rounds: int) -> str:
    """Seed the tree once, then measure each `rounds` times, and return the table."""
    office, rsyncd = Office(), Rsyncd()
    try:
        office.with_replicator()
        _make(office.docs)
        office.start("vault")
        seeding = _timed(lambda: _seed(office))
        standing = _standing(office.program("replicator"))
        leaving = [_restart(office, number) for number in range(rounds)]
        resident = _resident(office.program("replicator"))
        office.stop("replicator")
        vault = _resident(office.program("vault"))
        rsyncd.push(office.docs, "far")
        again = statistics.median(_timed(lambda: rsyncd.push(office.docs, "far")) for _ in range(rounds))
        walks, scans = _walks(office, rounds)
        disk = [(office.root / name).stat().st_size for name in ("room-state/replicator.sqlite", "safe/catalog.sqlite")]
    finally:
        office.close()
        rsyncd.close()
    walk, scan = (statistics.median(wall for wall, _ in each) for each in (walks, scans))
    walk_used, scan_used = (statistics.median(used for _, used in each) for each in (walks, scans))
    rows = [
        ["bare scandir and stat", f"{walk:.2f} s ({walk_used:.2f} s of processor)"],
        [
            "scan against the journal",
            f"{scan:.2f} s ({scan_used:.2f} s): {scan / walk:.2f} x ({scan_used / walk_used:.2f} x)",
        ],
        ["`rsync -a`, second pass, nothing changed", f"{again:.2f} s"],
        ["replicator started to what was pending there", f"{statistics.median(leaving) * 1000:,.0f} ms"],
        ["replicator resident after scan", f"{resident / 1e6:.0f} MB"],
        ["vault resident", f"{vault / 1e6:.0f} MB"],
        ["replicator standing by", f"{standing:.2%} of one processor"],
        ["journal on disk", f"{disk[0] / 1e6:.0f} MB, {disk[0] / _COUNT:.0f} bytes a path"],
        ["vault's catalog on disk", f"{disk[1] / 1e6:.0f} MB, {disk[1] / _COUNT:.0f} bytes a path"],
        ["first seeding", f"{seeding:.0f} s, {_COUNT / seeding:,.0f} files/s"],
    ]
    return table([f"{_COUNT:,} files in {_COUNT // _FOLDER:,} folders", "measured"], rows)


def _make(tree: Path) -> None:
    for number in range(_COUNT):
        folder = f"{tree}/{number // _FOLDER // 100:03}/{number // _FOLDER % 100:02}"
        if not number % _FOLDER:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - a million times
        file = os.open(f"{folder}/{number}", os.O_WRONLY | os.O_CREAT, 0o644)
        os.write(file, b"%d" % number)
        os.close(file)


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _seed(office: Office) -> None:
    office.start("replicator")
    until(lambda: _settled(office), "all is durable", limit=_LIMIT, pause=0.2)
    # A file that was read within a second of its change is looked at once more by the next scan.
    office.stop("replicator")
    office.start("replicator")
    until(lambda: _settled(office), "all was scanned", limit=_LIMIT, pause=0.2)


def _settled(office: Office) -> bool:
    return not any(
        value
        for (name, _), value in office.metrics("replicator").items()
        if name in {"bongsu_replication_blind", "bongsu_replication_pending_files"}
    )


def _standing(program: Program) -> float:
    """The share of one processor that is used while nothing changes."""
    before = _used(program)
    time.sleep(_IDLE)
    return (_used(program) - before) / _IDLE


def _restart(office: Office, number: int) -> float:
    """Changes wait as the replicator is killed: seconds from its next start until they have arrived."""
    office.stop("vault")
    words = b"changed %d" % number
    for each in range(_CHANGED):
        (office.docs / "000" / "00" / f"{each}").write_bytes(words)
    until(
        lambda: office.metric("replicator", "bongsu_replication_pending_files", source="docs") >= _CHANGED, "they wait"
    )
    time.sleep(1)  # the journal is written twenty times a second
    office.kill("replicator")
    office.start("vault")
    far = [office.current / "000" / "00" / f"{each}" for each in range(_CHANGED)]
    start = time.perf_counter()
    office.start("replicator", wait=False)
    until(lambda: all(path.read_bytes() == words for path in far), "what waited arrives", pause=0.005)
    leaving = time.perf_counter() - start
    until(lambda: _settled(office), "all was scanned", limit=_LIMIT, pause=0.2)
    return leaving


def _walks(office: Office, rounds: int) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Wall and processor seconds of the bare walk, and of the scanner with the replicator's own journal, in turn."""
    walks, scans = [], []
    journal = Journal(office.root / "room-state" / "replicator.sqlite")
    try:
        number, _ = journal.source("docs")
        for _ in range(rounds):
            bare = subprocess.run([sys.executable, "-c", _WALK, str(office.docs)], capture_output=True, check=True)
            wall, used = map(float, bare.stdout.split())
            walks.append((wall, used))
            found: list[Found] = []
            start, used = time.perf_counter(), time.process_time()
            Scanner(os.fsencode(office.docs), number, journal, Excludes(()), found.extend).scan(replaced=False)
            scans.append((time.perf_counter() - start, time.process_time() - used))
            if found:
                raise AssertionError(f"{len(found)} paths differ, where nothing has changed: {found[:3]}")
    finally:
        journal.close()
    return walks, scans


def _used(program: Program) -> float:
    words = Path(f"/proc/{program.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _resident(program: Program) -> int:
    pages = int(Path(f"/proc/{program.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
