"""Opening a vault after whatever happened."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from replicator import recover as recovery
from replicator.errors import FormatError
from replicator.item import Item
from replicator.local import LocalArchive
from replicator.records import Record, What
from replicator.recover import recover, remove_catalog
from replicator.segments import Bad, Found, read
from tests.replicator.vault.support import (
    SITE,
    SOURCE,
    content,
    faults,
    file_meta,
    half_written,
    opened,
    put_file,
    segments,
    sha,
    tree,
)


def _filled(root: Path, count: int = 5) -> dict[bytes, bytes]:
    """A vault with some files, cleanly closed."""
    files = {b"f%d" % n: b"content %d" % n * 20 for n in range(count)}
    with opened(root) as bench:
        for path, data in files.items():
            assert bench.file(path, data) == "done"
        bench.settle()
    return files


def _records(root: Path) -> list[Found]:
    with LocalArchive(root) as archive:
        return [item for item in read(root / "journal", archive._vault) if isinstance(item, Found)]


def _readable(root: Path) -> dict[bytes, bytes]:
    with LocalArchive(root) as archive:
        return {entry.path: content(archive, entry.hash) for entry in archive.tree(SOURCE)}


def test_an_end_torn_at_any_byte_reads_as_torn(tmp_path: Path) -> None:
    """Wherever a crash tears the last record, all before it reads, and the rest is known for what it is."""
    _filled(tmp_path)
    vault, found = _vault(tmp_path), _records(tmp_path)
    last = found[-1]
    for size in range(last.end - 1, last.offset, -1):
        os.truncate(segments(tmp_path)[-1], size)
        items = list(read(tmp_path / "journal", vault))
        assert items[:-1] == found[:-1]
        assert isinstance(items[-1], Bad)
        assert items[-1].torn
        assert items[-1].offset == last.offset


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.5, 0.9, 0.999])
def test_a_torn_end_is_cut(tmp_path: Path, share: float) -> None:
    """After a crash within the last record nothing of it is there, all else is, and writing goes on."""
    files = _filled(tmp_path)
    last = _records(tmp_path)[-1]
    remove_catalog(tmp_path)  # it had not come so far
    os.truncate(segments(tmp_path)[-1], last.offset + int((last.end - last.offset) * share))
    assert set(_readable(tmp_path)) == {*files} - {last.record.path}
    assert {fault.what for fault in faults(tmp_path)} == {"catalog"}
    with opened(tmp_path) as bench:
        assert bench.store.damage == []
        assert bench.file(last.record.path, files[last.record.path]) == "done"
    assert _readable(tmp_path) == files
    assert faults(tmp_path) == []


def test_zeros_at_the_end_are_cut(tmp_path: Path) -> None:
    """A power cut may leave the length without the bytes."""
    files = _filled(tmp_path)
    with segments(tmp_path)[-1].open("ab") as file:
        file.write(bytes(70_000))
    with opened(tmp_path) as bench:
        assert bench.store.damage == []
        assert bench.file(b"new", b"x") == "done"
    assert _readable(tmp_path) == {**files, b"new": b"x"}
    assert faults(tmp_path) == []


def test_any_changed_byte_is_found(tmp_path: Path) -> None:
    """Whichever byte of an acknowledged record is changed, its place is named, and no other record is lost."""
    _filled(tmp_path)
    vault, found, path = _vault(tmp_path), _records(tmp_path), segments(tmp_path)[0]
    second = found[3]
    for at in range(second.offset, second.end):
        _flip(path, at)
        items = list(read(tmp_path / "journal", vault))
        bad = [item for item in items if isinstance(item, Bad)]
        assert bad, at
        assert not any(item.torn for item in bad)
        assert bad[0].offset == second.offset
        others = [item.record for item in items if isinstance(item, Found) and item.offset != second.offset]
        assert others == [item.record for item in found if item.offset != second.offset], at
        _flip(path, at)


@pytest.mark.parametrize("at", [0, 5, 20, 60, -1])
def test_a_changed_record_is_told_and_never_cut(tmp_path: Path, at: int) -> None:
    """A vault with a damaged record says so, keeps every byte, and takes documents all the same."""
    files = _filled(tmp_path)
    second = _records(tmp_path)[3]
    _flip(segments(tmp_path)[0], second.offset + at if at >= 0 else second.end + at)
    assert f"00000001.seg:{second.offset}" in [fault.name for fault in faults(tmp_path)]
    remove_catalog(tmp_path)
    size = segments(tmp_path)[0].stat().st_size
    with opened(tmp_path) as bench:
        assert bench.store.damage
        assert bench.file(b"new", b"x") == "done"
    assert segments(tmp_path)[0].stat().st_size >= size
    assert {path for path in files if path != second.record.path} <= set(tree(tmp_path))


def _flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x41
    path.write_bytes(data)


def test_records_taken_out_or_swapped_are_told(tmp_path: Path) -> None:
    """History that is shortened in the middle, or put in another order, shows."""
    _filled(tmp_path)
    path = segments(tmp_path)[0]
    whole, records = path.read_bytes(), _records(tmp_path)
    one, two = records[2], records[3]
    path.write_bytes(whole[: one.offset] + whole[one.end :])
    assert any(fault.what == "record" for fault in faults(tmp_path))
    path.write_bytes(whole[: one.offset] + whole[two.offset : two.end] + whole[one.offset : one.end] + whole[two.end :])
    assert any(fault.what == "record" for fault in faults(tmp_path))


def test_a_journal_that_lost_its_end_is_told(tmp_path: Path) -> None:
    """An acknowledged end that is gone is no torn end: the catalog remembers it."""
    _filled(tmp_path)
    last = _records(tmp_path)[-1]
    os.truncate(segments(tmp_path)[-1], last.offset)
    assert any(fault.reason == "shorter than acknowledged" for fault in faults(tmp_path))
    with opened(tmp_path) as bench:
        assert [bad.reason for bad in bench.store.damage] == ["shorter than acknowledged"]
        assert bench.file(b"new", b"x") == "done"


def test_a_segment_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing segment is named; what the others hold can be read."""
    monkeypatch.setattr("replicator.appender.SEGMENT_BYTES", 500)
    _filled(tmp_path, 12)
    gone = segments(tmp_path)[1]
    gone.unlink()
    named = [fault.name for fault in faults(tmp_path)]
    assert f"{gone.name}:0" in named
    with opened(tmp_path) as bench:
        assert bench.file(b"new", b"x") == "done"
    assert b"new" in tree(tmp_path)


def test_journals_in_a_vault_are_no_records(tmp_path: Path) -> None:
    """A document that is itself a vault's journal, this very vault's even, never reads as records of it."""
    _filled(tmp_path)
    copy = segments(tmp_path)[0].read_bytes()
    with opened(tmp_path) as bench:
        bench.file(b"copy.seg", copy)
        bench.file(b"after", b"x")
    holder = next(found for found in _records(tmp_path) if found.record.path == b"copy.seg")
    _flip(segments(tmp_path)[0], holder.offset)
    items = list(read(tmp_path / "journal", _vault(tmp_path)))
    bad = [item for item in items if isinstance(item, Bad)]
    assert [(item.offset, item.end) for item in bad] == [(holder.offset, holder.end)]


def _vault(root: Path) -> str:
    with LocalArchive(root) as archive:
        return archive._vault


@pytest.mark.parametrize("how", ["missing", "junk", "behind", "foreign"])
def test_the_catalog_can_be_built_again(tmp_path: Path, how: str) -> None:
    """The journal is the truth: a catalog that is missing, damaged, old or another vault's costs only time."""
    root, other = tmp_path / "one", tmp_path / "other"
    files = _filled(root)
    if how == "behind":
        shutil.copy(root / "catalog.sqlite", tmp_path / "old")
        with opened(root) as bench:
            bench.file(b"new", b"x")
        files[b"new"] = b"x"
        shutil.copy(tmp_path / "old", root / "catalog.sqlite")
    elif how == "missing":
        remove_catalog(root)
    elif how == "junk":
        (root / "catalog.sqlite").write_bytes(b"junk" * 5000)
    else:
        _filled(other)
        shutil.copy(other / "catalog.sqlite", root / "catalog.sqlite")
    assert _readable(root) == files
    with capture_logs(), opened(root) as bench:
        assert bench.store.damage == []
    assert _readable(root) == files
    assert faults(root) == []


def test_half_written_files_go(tmp_path: Path) -> None:
    """What was on its way in when the process died is removed at the next start."""
    _filled(tmp_path)
    (tmp_path / "incoming" / "7-1").write_bytes(b"half")
    with opened(tmp_path):
        assert half_written(tmp_path) == []


def test_a_folder_that_is_no_vault_is_refused(tmp_path: Path) -> None:
    """Reading does not make a vault of any folder, and a vault of a later format is left alone."""
    with pytest.raises(FormatError, match=r"vault\.json"):
        LocalArchive(tmp_path)
    _filled(tmp_path)
    (tmp_path / "vault.json").write_text('{"format": 2, "id": "00000000000000000000000000000000"}')
    with pytest.raises(FormatError, match="format 2"):
        opened(tmp_path).__enter__()


def test_what_is_whole_behind_a_torn_record_goes_with_it(tmp_path: Path) -> None:
    """A power cut may keep a commit's second record and lose its first: neither was acknowledged, neither counts.

    The second must not stay known, or its document would be acknowledged at the next try without being kept.
    """
    files = _filled(tmp_path)
    opened_ = recover(tmp_path)
    position = opened_.catalog.positions()[SOURCE]
    data = {b"first": b"1" * 500, b"second": b"2" * 500}
    records = [
        (
            Record(
                what=What.PUT,
                source=SOURCE,
                position=position + number,
                path=path,
                meta=file_meta(each),
                hash=sha(each),
                inline=True,
            ),
            each,
        )
        for number, (path, each) in enumerate(data.items(), 1)
    ]
    first, _ = opened_.appender.write(records, time.time_ns())
    opened_.appender.flush()
    opened_.appender.close()
    opened_.catalog.close()
    with segments(tmp_path)[-1].open("r+b") as file:
        file.seek(first.offset)
        file.write(bytes(first.end - first.offset))
    with opened(tmp_path) as bench:
        assert bench.store.damage == []
        without_bytes = replace(put_file(b"second", data[b"second"]), inline=False)
        assert bench.say(without_bytes) == "need"
        assert bench.file(b"second", data[b"second"]) == "done"
    assert _readable(tmp_path) == {**files, b"second": data[b"second"]}
    assert faults(tmp_path) == []


def _spoil(path: Path) -> None:
    """Noise over all pages of a database but the first eight."""
    page = 4096
    size = path.stat().st_size
    assert size > 16 * page
    with path.open("r+b") as file:
        file.seek(8 * page)
        file.write(os.urandom(size - 8 * page))


def test_a_catalog_that_is_damaged_inside_is_built_again(tmp_path: Path) -> None:
    """A catalog that opens and cannot be read ends the vault once; the next start has everything again."""
    with opened(tmp_path) as bench:
        for number in range(2000):
            data = b"x%d" % number
            bench.store.submit(
                Item(message=put_file(b"d%d/f%d" % (number % 50, number), data), site=SITE, payload=data)
            )
        assert bench.file(b"last", b"l") == "done"
        bench.settle()
    _spoil(tmp_path / "catalog.sqlite")
    codes = []
    for _ in range(2):
        with opened(tmp_path) as bench:
            codes.append(bench.file(b"d7/f7", b"other"))
    assert codes[-1] == "done", codes
    assert faults(tmp_path) == []
    with LocalArchive(tmp_path) as archive:
        assert len(list(archive.tree(SOURCE))) == 2001


def test_what_no_flush_has_seen_is_flushed_and_read_from_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole records count as durable from the start on: so they are made so before the first of them is read."""
    _filled(tmp_path)
    done: list[str] = []

    def noted(name: str, what: Callable[..., Any]) -> None:
        def call(*given: Any, **named: Any) -> Any:
            done.append(name)
            return what(*given, **named)

        monkeypatch.setattr(recovery, name, call)

    for name in ("flush", "forget", "flush_folder", "read"):
        noted(name, getattr(recovery, name))
    with opened(tmp_path):
        assert done[-4:] == ["flush", "forget", "flush_folder", "read"]
