"""Errors of the vault's disk, at every place where it writes: a real vault, with single calls that fail."""

import errno
from pathlib import Path

import pytest

from tests.replicator.vault.faulty import BROKEN, Client, demand, doomed, work

#: Where, which error, from which call on, how many: what passes when there is room again.
PASSING = [
    ("write journal", errno.ENOSPC, 5, 3),
    ("write journal", errno.EDQUOT, 9, 1),
    ("make journal", errno.ENOSPC, 2, 2),
    ("write incoming", errno.ENOSPC, 4, 2),
    ("make incoming", errno.EDQUOT, 3, 1),
    ("rename objects", errno.ENOSPC, 1, 1),
    ("write catalog", errno.ENOSPC, 40, 6),
    ("rename current", errno.ENOSPC, 2, 2),
    ("write mark", errno.ENOSPC, 1, 1),
    ("flush current", errno.EIO, 1, 1),
    ("write *", errno.ENOSPC, 40, 30),
]
#: What no later call can make good.
LASTING = [
    ("flush journal", errno.EIO, 6, 1),
    ("write journal", errno.EIO, 6, 1),
    ("flush-folder journal", errno.EIO, 2, 1),
    ("flush incoming", errno.EIO, 1, 1),
    ("flush-folder objects", errno.EIO, 3, 1),
    ("cut journal", errno.EIO, 1, 1),
    ("write *", errno.EROFS, 40, 100_000),
    ("flush *", errno.EIO, 9, 60),
]


def _named(fault: tuple[str, int, int, int]) -> str:
    return f"{fault[0]}-{errno.errorcode[fault[1]]}"


def _spec(fault: tuple[str, int, int, int]) -> str:
    what = "|".join(map(str, fault))
    return what + f";write journal|{errno.ENOSPC}|7|1" if fault[0] == "cut journal" else what


@pytest.mark.parametrize("fault", PASSING, ids=_named)
def test_what_passes_is_waited_for(tmp_path: Path, fault: tuple[str, int, int, int]) -> None:
    """The item is refused with `again` or nobody notices; the vault lives on, and all that was said is there."""
    box = tmp_path / "box"
    box.mkdir()
    client = Client(work())
    with doomed(box, fail=_spec(fault)) as vault:
        client.run(vault.port)
        assert client.ended()
        assert vault.end() == 0
    assert {refused.code for refused in client.refused} <= {"full"}
    demand(box / "vault", work(), client.done)


@pytest.mark.parametrize("fault", LASTING, ids=_named)
def test_what_lasts_ends_the_vault(tmp_path: Path, fault: tuple[str, int, int, int]) -> None:
    """Nothing is acknowledged any more, the process ends; the next one has all that was, and takes the rest."""
    box = tmp_path / "box"
    box.mkdir()
    client = Client(work())
    with doomed(box, fail=_spec(fault), marks=False) as vault:  # whose flushes are no commits
        client.run(vault.port)
        assert vault.end() == BROKEN
    assert not client.ended()
    demand(box / "vault", work(), client.done)
    client.finish(box / "vault")
    demand(box / "vault", work(), client.done)


def test_a_full_disk_at_the_start_costs_no_catalog(tmp_path: Path) -> None:
    """A vault that cannot write its catalog at its start keeps the one that is there: a full disk is no damage."""
    box = tmp_path / "box"
    box.mkdir()
    client = Client(work())
    with doomed(box) as vault:
        client.run(vault.port)
        assert vault.end() == 0
    catalog = box / "vault" / "catalog.sqlite"
    before = catalog.stat().st_ino
    for error in (errno.ENOSPC, errno.EROFS):
        with doomed(box, fail=f"make catalog|{error}|1|99;write catalog|{error}|1|99") as vault:
            vault.end()  # it may live without writing the catalog, or end
    assert catalog.stat().st_ino == before
    demand(box / "vault", work(), client.done)
