"""A tree of very many files: its first copy, and what a restart, a scan and standing by cost when nothing changes."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import usage
from bench.figures import Result, Samples, milliseconds, ratio, table
from bench.rsyncd import Rsyncd
from tests.acceptance.office import Office
from tests.support.waiting import until

#: A quick run by default; `BENCH_FILES=1000000 python -m bench million` is the whole one.
_COUNT = int(os.environ.get("BENCH_FILES", "200000"))
_FOLDER = 100
#: Files that wait as the replicator is killed, rewritten and removed; that change while it is down; and that are
#: rewritten for the growth.
_WRITTEN, _REMOVED, _MEANWHILE, _REWRITTEN = 900, 100, 1000, _COUNT // 10
#: Seconds after which a file that is read is certainly what it was when it was changed.
_SURE = 60.0
_LIMIT = 3600.0
#: Seconds over which the processor time of standing by is counted.
_IDLE = float(os.environ.get("BENCH_IDLE", "60"))
#: A process of these rights may not watch a whole file system: every folder gets a watch of its own.
_NO_FANOTIFY = ("setpriv", "--bounding-set=-sys_admin")

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


def run(rounds: int) -> Result:
    """Copy the tree once, then measure each `rounds` times."""
    samples = Samples()
    office, rsyncd = Office(), Rsyncd()
    try:
        office.with_replicator()
        rows = list(_told(_measured(office, rsyncd, rounds, samples)))
    finally:
        office.close()
        rsyncd.close()
    return Result(table([f"{_COUNT:,} files in {_COUNT // _FOLDER:,} folders", "measured"], rows), samples.rounds)


def _measured(office: Office, rsyncd: Rsyncd, rounds: int, samples: Samples) -> Iterator[list[str]]:
    chance = random.Random(1)
    yield ["the tree is made (for comparison)", _rate(_timed(lambda: _make(office.docs)))]
    made = time.monotonic()
    yield from _first(office, rsyncd)
    time.sleep(max(0.0, made + _SURE - time.monotonic()))
    _restart(office)
    yield ["standing by, every change seen by fanotify", _standing(office)]
    for _ in range(rounds):
        _unchanged(office, rsyncd, samples)
    yield from _restarts(samples)
    for _ in range(rounds):
        _leaving(office, chance, samples)
    yield from _pending(samples)
    yield from _growth(office, chance)
    _restart(office, *_NO_FANOTIFY)
    yield ["standing by, a watch for each folder (inotify)", _standing(office)]


def _told(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    """Say each at once, beside the table at the end: a run lasts a quarter of an hour."""
    for row in rows:
        print(": ".join(row), file=sys.stderr, flush=True)
        yield row


def _make(tree: Path) -> None:
    for number in range(_COUNT):
        path = _path(tree, number)
        if not number % _FOLDER:
            path.parent.mkdir(parents=True)
        _write(path, b"%d " % number * 30)


def _path(tree: Path, number: int) -> Path:
    folder = number // _FOLDER
    return tree / f"{folder // 100:03}" / f"{folder % 100:02}" / f"{number}"


def _write(path: Path, words: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.write(file, words)
    os.close(file)


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


# ---------------------------------------------------------------------- the first copy


def _first(office: Office, rsyncd: Rsyncd) -> Iterator[list[str]]:
    yield ["first copy by `rsync -a` to rsyncd", _rate(_timed(lambda: rsyncd.push(office.docs, "far")))]
    office.start("vault")
    start = time.perf_counter()
    office.start("replicator")
    _settled(office)
    yield ["first copy, durable at the vault", _rate(time.perf_counter() - start)]
    until(lambda: not office.metric("vault", "bongsu_vault_current_behind"), "current/ is there", _LIMIT, 0.2)
    yield ["first copy, plain files in `current/`", _rate(time.perf_counter() - start)]
    for part in ("replicator", "vault"):
        program = office.program(part)
        now, most = usage.memory(program)
        text = f"{usage.processor(program):.0f} s of processor, {most:.0f} MB at most, {now:.0f} MB after"
        yield [f"{part} in the first copy", text]
    office.stop("replicator")  # the journal's log is written into it
    for name, path in (("journal", "room-state/replicator.sqlite"), ("vault's catalog", "safe/catalog.sqlite")):
        yield [f"{name} on disk", _each((office.root / path).stat().st_size, _COUNT, "path")]
    yield ["vault's journal on disk, documents included", _each(_journal(office), _COUNT, "version")]
    office.start("replicator")


def _rate(seconds: float) -> str:
    return f"{seconds:.0f} s, {_COUNT / seconds:,.0f} files/s"


def _each(size: int, count: int, what: str) -> str:
    return f"{size / 1e6:,.0f} MB, {size / count:.0f} bytes a {what}"


def _journal(office: Office) -> int:
    return sum(each.stat().st_size for each in (office.vault_root / "journal").iterdir())


def _settled(office: Office) -> None:
    """The scan has seen the whole tree, and nothing waits."""
    names = {"bongsu_replication_blind", "bongsu_replication_pending_files"}

    def settled() -> bool:
        told = [value for (name, _), value in office.metrics("replicator").items() if name in names]
        return bool(told) and not any(told)  # the metrics can be read a moment before there is a source

    until(settled, "all was scanned and sent", _LIMIT, 0.05)


# ---------------------------------------------------------------------- nothing changes


def _standing(office: Office) -> str:
    """What both use of one processor while nothing changes, and what they hold."""
    programs = [office.program(part) for part in ("replicator", "vault")]
    before = [usage.processor(program) for program in programs]
    time.sleep(_IDLE)
    used = [(usage.processor(program) - was) / _IDLE for program, was in zip(programs, before, strict=True)]
    held = [usage.memory(program)[0] for program in programs]
    parts = zip(("replicator", "vault"), used, held, strict=True)
    return "; ".join(f"{part} {share:.1%} of one processor, {size:.0f} MB" for part, share, size in parts)


def _restart(office: Office, *prefix: str) -> None:
    office.stop("replicator")
    office.start("replicator", prefix=prefix)
    _settled(office)


def _unchanged(office: Office, rsyncd: Rsyncd, samples: Samples) -> None:
    """The bare walk, rsync's second pass, and a restart of the replicator, in turn."""
    office.stop("replicator")
    bare = subprocess.run([sys.executable, "-c", _WALK, str(office.docs)], capture_output=True, check=True)
    for name, seconds in zip(("walk", "walk, processor"), map(float, bare.stdout.split()), strict=True):
        samples.add(name, seconds)
    samples.add("rsync, second pass", _timed(lambda: rsyncd.push(office.docs, "far")))
    before = _position(office)
    samples.add("start to the end", _timed(lambda: _restart(office)))
    program = office.program("replicator")
    scanned = usage.scan(program)
    samples.add("scan", scanned.wall)
    samples.add("scan, processor", scanned.processor)
    samples.add("resident, MB", usage.memory(program)[1])
    if sent := _position(office) - before:
        raise AssertionError(f"{sent:.0f} paths were sent, where nothing has changed")


def _restarts(samples: Samples) -> Iterator[list[str]]:
    def both(name: str) -> tuple[float, float]:
        return samples.middle(name), samples.middle(f"{name}, processor")

    (walk, walked), (scan, scanned) = both("walk"), both("scan")
    yield ["bare scandir and stat", f"{walk:.2f} s ({walked:.2f} s of processor)"]
    ratios = f"{ratio(scan, walk, '.2f')} ({ratio(scanned, walked, '.2f')})"
    yield ["replicator's scan after a restart, nothing changed", f"{scan:.2f} s ({scanned:.2f} s): {ratios}"]
    yield ["replicator's start to the scan's end", f"{samples.middle('start to the end'):.2f} s"]
    yield ["`rsync -a`, second pass, nothing changed", f"{samples.middle('rsync, second pass'):.2f} s"]
    yield ["replicator resident, at most from its start on", f"{samples.middle('resident, MB'):.0f} MB"]


# ---------------------------------------------------------------------- something waits


def _leaving(office: Office, chance: random.Random, samples: Samples) -> None:
    """Changes wait as the replicator is killed, others are made while it is down: how long from its next start."""
    office.stop("vault")
    waiting = chance.sample(range(_COUNT), _WRITTEN + _REMOVED)
    _rewrite(office, waiting[:_WRITTEN], chance)
    for number in waiting[_WRITTEN:]:
        _path(office.docs, number).unlink(missing_ok=True)
    until(lambda: _waits(office) >= len(waiting), "they wait")
    time.sleep(1)  # the journal is written twenty times a second
    count = _waits(office)
    office.kill("replicator")
    _rewrite(office, chance.sample(range(_COUNT), _MEANWHILE), chance)
    office.start("vault")
    before = _position(office)
    start = time.perf_counter()
    office.start("replicator", wait=False)
    until(lambda: _position(office) >= before + count, "what waited is durable", pause=0.005)
    samples.add("start to what waited", time.perf_counter() - start)
    _settled(office)
    samples.add("start to what changed meanwhile", time.perf_counter() - start)


def _position(office: Office) -> float:
    """How many records of the documents are durable at the vault."""
    return until(lambda: (office.metric("vault", "bongsu_vault_position", source="docs"),), "the vault tells")[0]


def _waits(office: Office) -> float:
    return office.metric("replicator", "bongsu_replication_pending_files", source="docs")


def _rewrite(office: Office, numbers: list[int], chance: random.Random) -> None:
    for number in numbers:
        _write(_path(office.docs, number), b"%d " % chance.getrandbits(64) * 15)


def _pending(samples: Samples) -> Iterator[list[str]]:
    waiting = f"{_WRITTEN:,} rewritten and {_REMOVED:,} removed files waiting"
    leaving, others = (samples.middle(f"start to what {name}") for name in ("waited", "changed meanwhile"))
    yield [f"killed with {waiting}: start to all of them durable", milliseconds(leaving)]
    yield [f"the same: start to {_MEANWHILE:,} others found and durable, changed while it was down", f"{others:.2f} s"]


def _growth(office: Office, chance: random.Random) -> Iterator[list[str]]:
    """Many files are written anew: what each database holds is by paths here, by versions at the vault."""
    names = {"journal": "room-state/replicator.sqlite", "vault's catalog": "safe/catalog.sqlite"}

    def sizes() -> dict[str, int]:
        found = {name: (office.root / path).stat().st_size for name, path in names.items()}
        return found | {"vault's journal": _journal(office)}

    before, position = sizes(), _position(office)
    start = time.perf_counter()
    _rewrite(office, chance.sample(range(_COUNT), _REWRITTEN), chance)
    until(lambda: _position(office) >= position + _REWRITTEN and not _waits(office), "all is sent", _LIMIT, 0.1)
    taken = time.perf_counter() - start
    until(lambda: not office.metric("vault", "bongsu_vault_current_behind"), "current/ is there", _LIMIT, 0.2)
    yield [f"{_REWRITTEN:,} files written anew, first write to durable", f"{taken:.0f} s"]
    for name, size in sizes().items():
        grown = size - before[name]
        text = f"{before[name] / 1e6:,.0f} MB to {size / 1e6:,.0f} MB, {grown / _REWRITTEN:.0f} bytes a version"
        yield [f"{name} by that", text]
