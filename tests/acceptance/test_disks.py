"""Disks that fail under the real daemons, at either end: told, survived, and nothing lost."""

import contextlib
import errno
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.office import Office
from tests.support import disk
from tests.support.disks import own_disk
from tests.support.waiting import until


@pytest.fixture
def office() -> Iterator[Office]:
    """An office of each test's own: its disk does not come back."""
    office = Office()
    yield office
    office.close()


def _env(folder: Path, base: str, fail: str) -> tuple[str, ...]:
    """Put before a command, this lets calls of its disk fail."""
    told = disk.environment(folder, base, fail=fail)
    names = ("LD_PRELOAD", "DISK_FOLDER", "DISK_BASE", "DISK_FAIL")
    return ("env", *(f"{name}={told[name]}" for name in names))


def _conditions(office: Office) -> str:
    return office.bongsu("status", "--json", code=None).stdout


def test_a_vault_whose_flush_fails_ends_and_the_next_one_has_all(office: Office) -> None:
    """EIO once: the process ends with one clear line and code 1, the room says why; started again, all is carried."""
    office.with_replicator()
    office.start("vault", prefix=_env(office.root, "safe", f"flush journal|{errno.EIO}|4|1"))
    office.start("replicator")
    for number in range(20):
        (office.docs / f"minutes{number}").write_bytes(os.urandom(5000))
        if not office.program("vault").running:
            break
        until(
            lambda: (
                not office.program("vault").running
                or office.metric("replicator", "bongsu_replication_pending_files", source="docs") == 0
            ),
            "it is sent, or the vault ended",
        )
    assert office.program("vault").wait() == 1
    told = office.program("vault").text()
    assert "vault acknowledges nothing more" in told
    assert "input/output error" in told
    assert "Traceback" not in told
    kept = json.loads(_conditions(office))["replication"]["vault"]
    assert not kept["connected"]
    office.start("vault")  # as systemd does: Restart=always
    office.settle()
    office.bongsu("verify", file="vault")


@pytest.fixture
def small_state(office: Office) -> Iterator[Path]:
    """The room's state on a disk of 3 MB."""
    with own_disk(office.root / "room-state", "3m") as folder:
        yield folder


def _fill(path: Path) -> None:
    """Write until there is no room."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


def test_a_full_state_disk_stops_no_document(office: Office, small_state: Path) -> None:
    """Where the journal finds no room documents are carried all the same; it is told, and goes when there is room."""
    office.with_replicator()
    office.start("vault")
    office.start("replicator")
    ballast = small_state / "ballast"
    _fill(ballast)
    for number in range(400):
        (office.docs / f"minutes{number}").write_text(str(number))
    office.settle()
    until(lambda: "journal not written" in office.program("replicator").text(), "it is told")
    ballast.unlink()
    (office.docs / "after").write_text("x")
    office.settle()
    assert office.stop("replicator") == 0
    office.start("replicator")
    office.settle()


@pytest.fixture
def disk_of_the_vault(office: Office) -> Iterator[Path]:
    """The vault on a disk of its own."""
    office.vault_root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(office.vault_root)], check=True)
    yield office.vault_root
    subprocess.run(["umount", "-l", str(office.vault_root)], check=True)


def _remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


def test_a_vault_whose_disk_turns_read_only_ends_and_goes_on_once_it_can_write(
    office: Office, disk_of_the_vault: Path
) -> None:
    """It ends with one clear line, also at each start on such a disk; when it can write again all is carried."""
    office.with_replicator()
    office.start("vault", prefix=_env(disk_of_the_vault, "", f"write *|{errno.EROFS}|60|100000"))
    office.start("replicator")

    def ended() -> bool:
        (office.docs / "minutes").write_bytes(os.urandom(5000))
        return not office.program("vault").running

    until(ended, "the vault ended")
    assert office.program("vault").wait() == 1
    assert "read-only file system" in office.program("vault").text()
    _remount(disk_of_the_vault, "ro")
    again = office.start("vault", wait=False)
    assert again.wait() == 1
    assert again.text().splitlines()[-1].startswith(f"bongsu: open vault {disk_of_the_vault}: read-only file system")
    assert "Traceback" not in again.text()
    assert not json.loads(_conditions(office))["replication"]["vault"]["connected"]
    _remount(disk_of_the_vault, "rw")
    office.start("vault")
    office.settle()
    office.bongsu("verify", file="vault")
