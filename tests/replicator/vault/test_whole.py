"""Everything of a file but its bytes, on its way into a vault and out again."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from replicator import holes
from replicator.answers import _aged, _listed
from replicator.archive import Version
from replicator.attributes import PER_XATTR, XATTRS_MAX
from replicator.change import Entry, Meta
from replicator.errors import PathError
from replicator.item import check
from replicator.local import LocalArchive
from replicator.messages import Aged, Listed, Put
from replicator.restore import Restored, restore
from replicator.wire import encode
from tests.replicator.vault.support import SOURCE, file_meta, folder_meta, link_meta, opened, put, sha
from tests.replicator.whole import ACL, CAPABILITY, acl, all_xattrs, room

_ROOT = os.geteuid() == 0
_USER = ("user.title", "문서".encode())


def _put(path: bytes, data: bytes, meta: Meta) -> Put:
    return Put(id=0, source=SOURCE, path=path, meta=meta, hash=sha(data), inline=True)


def _restored(root: Path, to: Path) -> Restored:
    with LocalArchive(root) as archive:
        return restore(archive, to)


def _full() -> tuple[tuple[bytes, bytes], ...]:
    """As many attributes as fit, in one."""
    return ((b"user.a", b"x" * (XATTRS_MAX - len(b"user.a") - PER_XATTR)),)


@pytest.mark.parametrize(
    "bad",
    [
        {"xattrs": ((b"user.b", b""), (b"user.a", b""))},
        {"xattrs": ((b"user.a", b""), (b"user.a", b""))},
        {"xattrs": ((b"trusted.overlay.opaque", b"y"),)},
        {"xattrs": ((b"security.selinux", b"label"),)},
        {"xattrs": ((b"user.a\0b", b""),)},
        {"xattrs": ((b"user." + b"a" * 251, b""),)},
        {"xattrs": ((b"user.a", b"x" * XATTRS_MAX),)},
        {"lacking": -1},
        {"inode": -1},
        {"inode": 2**63},
    ],
)
def test_states_that_no_path_can_have_are_refused(bad: dict[str, object]) -> None:
    """Attributes out of order, twice, too large, of the host's own, numbers out of range: nothing of it is kept."""
    with pytest.raises(PathError):
        check(_put(b"f", b"x", replace(file_meta(b"x"), **bad)))


def test_what_only_files_have_is_refused_of_others() -> None:
    """A file may have full attributes, holes and other names; a folder no other names, a link no attributes."""
    check(_put(b"f", b"x", replace(file_meta(b"x"), xattrs=_full(), sparse=True, inode=7)))
    for meta in (
        replace(folder_meta(), inode=1),
        replace(folder_meta(), sparse=True),
        replace(link_meta(b"t"), xattrs=((b"user.a", b""),)),
    ):
        with pytest.raises(PathError):
            check(put(b"f", meta))


def test_full_attributes_fit_every_page() -> None:
    """Paths with as many attributes as are allowed, and the longest names, never make a page over the limit."""
    meta = replace(file_meta(b"x"), xattrs=_full())
    entries = [Entry(path=b"p" * 4000, meta=meta, hash=sha(b"x"))] * 3 + [Entry(path=b"q", meta=meta, hash=sha(b"x"))]
    listed = [page for page, _ in _listed(entries) if isinstance(page, Listed)]
    versions = [Version(at_ns=1, meta=meta, hash=sha(b"x"), position=1)] * 3
    aged = [page for page, _ in _aged(versions) if isinstance(page, Aged)]
    assert all(len(encode(page)) for page in listed)
    assert all(len(encode(page)) for page in aged)
    assert sum(len(page.entries) for page in listed) == 4
    assert sum(len(page.versions) for page in aged) == 3


def _odd_tree(root: Path) -> None:
    """A vault with attributes, an ACL, a capability, holes and a file of two names."""
    data = b"a" * 5000 + bytes(200_000) + b"z"
    xattrs = [(ACL.encode(), acl(0o640, (1234, 4))), (b"security.capability", CAPABILITY), (b"user.title", _USER[1])]
    with opened(root) as bench:
        meta = replace(file_meta(data), xattrs=tuple(sorted(xattrs)), sparse=True)
        bench.say(_put(b"odd", data, meta), data)
        named = replace(file_meta(b"one file"), inode=11)
        bench.say(_put(b"names/one", b"one file", named), b"one file")
        bench.say(_put(b"names/two", b"one file", named), b"one file")
        bench.say(_put(b"names/other", b"one file", replace(named, inode=12)), b"one file")
        bench.say(_put(b"names/alone", b"one file", replace(named, inode=0)), b"one file")
        bench.say(_put(b"poor", b"x", replace(file_meta(b"x"), lacking=2)), b"x")
        bench.say(_put(b"moment", b"x", replace(file_meta(b"x"), open=True)), b"x")
        bench.settle()


def test_a_restore_makes_files_whole_and_says_what_is_not(tmp_path: Path) -> None:
    """Attributes, names and holes are made; what was never kept, and what is a moment, is named."""
    _odd_tree(tmp_path / "vault")
    done = _restored(tmp_path / "vault", tmp_path / "to")
    to = tmp_path / "to"
    assert not done.failed
    assert [path for path, _ in done.bare] == ["poor"] + ([] if _ROOT else ["odd"])
    assert done.moments == ["moment"]
    assert os.getxattr(to / "odd", "user.title") == _USER[1]
    assert room(to / "odd") < 100_000
    assert (to / "names" / "one").samefile(to / "names" / "two")
    assert not (to / "names" / "one").samefile(to / "names" / "other")
    assert (to / "names" / "alone").stat().st_nlink == 1


def test_current_has_no_rights_of_programs(tmp_path: Path) -> None:
    """In `current/` a file has its attributes but no capability, and each name bytes of its own."""
    _odd_tree(tmp_path / "vault")
    current = tmp_path / "vault" / "current" / SOURCE
    names = set(all_xattrs(current)["odd"])
    assert names == ({"user.title", ACL} if _ROOT else {"user.title"})
    assert room(current / "odd") < 100_000
    assert not (current / "names" / "one").samefile(current / "names" / "two")


def test_nobody_gets_what_nobody_may_have(tmp_path: Path) -> None:
    """Restored by a plain user: all bytes, modes, ACLs and attributes; the capability is named as not set."""
    _odd_tree(tmp_path / "vault")
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom replicator.local import LocalArchive\n"
        "from replicator.restore import restore\n"
        "if os.geteuid() == 0:\n    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "done = restore(LocalArchive(Path(sys.argv[1])), Path(sys.argv[2]))\n"
        "assert not done.failed, done.failed\n"
        "print([path for path, reason in done.bare if 'security.capability' in reason])\n"
    )
    # pytest closes its own folders to others, and opens none for long.
    with tempfile.TemporaryDirectory(prefix="bongsu-test-") as name:
        open_to_all = Path(name)
        open_to_all.chmod(0o755)
        vault, work = open_to_all / "vault", open_to_all / "work"
        shutil.copytree(tmp_path / "vault", vault, ignore=shutil.ignore_patterns("current"))
        work.mkdir()
        if _ROOT:
            os.chown(work, 65534, 65534)
        command = [sys.executable, "-c", program, str(vault), str(work / "to")]
        told = subprocess.run(command, check=True, capture_output=True, text=True)
        assert told.stdout.strip() == "['odd']"
        found = all_xattrs(work / "to")["odd"]
        assert found == {"user.title": _USER[1], ACL: acl(0o640, (1234, 4))}
        assert (work / "to" / "odd").stat().st_uid == (65534 if _ROOT else os.getuid())
        assert (work / "to" / "names" / "one").samefile(work / "to" / "names" / "two")


def test_a_file_system_without_links_gets_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a second name is refused, each name is a file with the same bytes."""
    _odd_tree(tmp_path / "vault")

    def link(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("replicator.place.os.link", link)
    done = _restored(tmp_path / "vault", tmp_path / "to")
    assert not done.failed
    assert (tmp_path / "to" / "names" / "two").read_bytes() == b"one file"
    assert not (tmp_path / "to" / "names" / "one").samefile(tmp_path / "to" / "names" / "two")


def _made(path: Path, write: Callable[[int], None]) -> bytes:
    """A new file's bytes after something has written it; it must have holes."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        write(descriptor)
        assert holes.has_holes(descriptor, os.fstat(descriptor))
    finally:
        os.close(descriptor)
    return path.read_bytes()


@pytest.mark.parametrize("cut", [4095, 4096, 4097, 10_000, 100_000])
def test_blocks_of_zeros_are_holes_wherever_a_piece_ends(tmp_path: Path, cut: int) -> None:
    """Bytes written in pieces of any size, or copied, are the same bytes, and zeros of whole blocks take no room."""
    data = b"a" * 10 + bytes(50_000) + b"b" * 4096 + bytes(4096 * 3) + b"c" + bytes(30_000)
    pieces = [data[at : at + cut] for at in range(0, len(data), cut)]
    assert _made(tmp_path / "pieces", lambda descriptor: holes.fill(descriptor, pieces)) == data
    with (tmp_path / "pieces").open("rb") as source:
        assert _made(tmp_path / "copy", lambda descriptor: holes.copy(source.fileno(), descriptor)) == data
    assert room(tmp_path / "copy") < len(data) // 2


def test_a_file_without_holes_is_not_sparse(tmp_path: Path) -> None:
    """Zeros that were written, and room that was taken ahead, are no holes."""
    path = tmp_path / "file"
    path.write_bytes(bytes(100_000))
    with path.open("r+b") as file:
        assert not holes.has_holes(file.fileno(), os.fstat(file.fileno()))
        os.posix_fallocate(file.fileno(), 0, 1_000_000)
        assert not holes.has_holes(file.fileno(), os.fstat(file.fileno()))
