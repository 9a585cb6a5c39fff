"""The file channel and what may be wrong with a disk."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from alerts.channels import build
from alerts.errors import Reason
from config.channels import File
from tests.alerts.channels import failure
from tests.alerts.support import a_message, lines, run


@contextmanager
def _nobody() -> Iterator[None]:
    """Be a user without rights for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_full_disk_is_told() -> None:
    """Writing to a device without room is a failure of the disk that may pass."""
    error = failure(build(File(kind="file", id="c", path=Path("/dev/full"))))
    assert (error.reason, error.permanent) == (Reason.DISK, False)
    assert "no space" in str(error)


@pytest.mark.parametrize("method", ["send", "check"])
def test_no_permission_is_told(tmp_path: Path, method: str) -> None:
    """A file that this user may not write is a failure of the disk, for a message and for a check."""
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"")
    path.chmod(0o400)
    with _nobody():
        error = failure(build(File(kind="file", id="c", path=path)), method)
    assert error.reason is Reason.DISK
    assert "permission denied" in str(error)


@pytest.mark.parametrize("path", ["", "missing/out.jsonl", "file/out.jsonl"])
def test_a_path_that_is_no_place_for_a_file_is_told(tmp_path: Path, path: str) -> None:
    """A folder, a missing folder and a file in the place of a folder are failures of the disk."""
    (tmp_path / "file").write_bytes(b"")
    assert failure(build(File(kind="file", id="c", path=tmp_path / path))).reason is Reason.DISK


def test_a_torn_last_line_spoils_no_other(tmp_path: Path) -> None:
    """After a line that a crash tore off the next message starts a line of its own."""
    path = tmp_path / "out.jsonl"
    path.write_bytes(b'{"v":1,"id":"torn')
    channel = build(File(kind="file", id="c", path=path))

    async def scenario() -> None:
        await channel.send(a_message())
        await channel.send(a_message(id="e2.kim"))
        await channel.close()

    run(scenario)
    assert [each["id"] for each in lines(path)] == ["e1.kim", "e2.kim"]
    assert path.read_bytes().count(b"\n") == 3


def test_a_file_that_was_rotated_away_is_made_anew(tmp_path: Path) -> None:
    """After a log rotation the next message goes to a new file under the same name."""
    path = tmp_path / "out.jsonl"
    channel = build(File(kind="file", id="c", path=path))

    async def scenario() -> None:
        await channel.send(a_message())
        path.rename(tmp_path / "out.jsonl.1")
        await channel.send(a_message(id="e2.kim"))
        await channel.close()

    run(scenario)
    assert [each["id"] for each in lines(path)] == ["e2.kim"]
