"""Bad input is told and disturbs nothing: files that cannot be read, junk on every port, a full disk."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.office import WITHOUT_RIGHTS, Office
from tests.support.disks import own_disk
from tests.support.modbus import ModbusServer
from tests.support.mosquitto import answers
from tests.support.sink import Sink
from tests.support.trees import same, snapshot
from tests.support.waiting import until


@pytest.fixture(scope="module")
def running(office: Office, sink: Sink, rack: ModbusServer) -> Office:
    """All three daemons; the replicator without the rights that would open every file."""
    office.with_replicator()
    office.with_monitor(sink.url)
    (office.docs / "good.txt").write_text("good")
    office.start("vault")
    office.start("replicator", prefix=WITHOUT_RIGHTS)
    office.start("monitor")
    until((office.current / "good.txt").exists, "the first file is at the vault")
    return office


def test_what_cannot_be_read_is_named(running: Office) -> None:
    """A file without permission is named in `status`; what stands beside it goes on; when it may be read it follows."""
    docs = running.docs
    secret = docs / "secret.txt"
    secret.write_text("only later")
    (docs / "locked").mkdir()
    (docs / "locked" / "inside.txt").write_text("only later too")
    secret.chmod(0)
    (docs / "locked").chmod(0)
    (docs / "beside.txt").write_text("beside")
    until((running.current / "beside.txt").exists, "the file beside them is at the vault")
    until(lambda: "secret.txt" in running.bongsu("status", "--json", code=None).stdout, "status names the file")
    secret.chmod(0o644)
    (docs / "locked").chmod(0o755)
    until((running.current / "secret.txt").exists, "the file follows when it may be read")
    until((running.current / "locked" / "inside.txt").exists, "what is in the folder follows too")


def test_what_is_no_file_is_left_out(running: Office) -> None:
    """A pipe, a socket and a ring of links hang nothing; links that leave the tree stay links."""
    docs = running.docs
    os.mkfifo(docs / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(docs / "socket"))
        (docs / "ring").mkdir()
        (docs / "ring" / "round").symlink_to("../ring")
        (docs / "shadow").symlink_to("/etc/passwd")
        (docs / "etc").symlink_to("/etc")
        (docs / "after.txt").write_text("after")
        until((running.current / "after.txt").exists, "what came after them is at the vault")
        until((running.current / "etc").is_symlink, "a link to a folder is a link")
        assert (running.current / "shadow").is_symlink()
        assert not (running.current / "pipe").exists()
        assert not (running.current / "socket").exists()


@pytest.mark.parametrize("name", ["stream", "bus", "console", "monitor", "replicator", "vault"])
def test_junk_disturbs_nothing(running: Office, name: str) -> None:
    """Random bytes, huge lengths and half frames on a port end that connection; files go on and the daemons live."""
    port = running.ports[name]
    until(lambda: answers(port), f"something answers at the port of {name}")
    for junk in (os.urandom(4096), b"\xff" * 64, b"\x00\x00\x10\x00", b"GET / HTTP/9\r\n\r\n", b"\x10\xff\xff\xff\x7f"):
        with socket.create_connection(("127.0.0.1", port), 10) as line:
            line.sendall(junk)
    marker = running.docs / f"after junk on {name}.txt"
    marker.write_text(name)
    until((running.current / marker.name).exists, "a file written after the junk is at the vault")
    for part in ("monitor", "replicator", "vault"):
        assert running.program(part).running
        assert running.metrics(part)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    with own_disk(tmp_path / "small", "8m") as folder:
        yield folder


def test_a_full_disk_at_the_vault(small_disk: Path) -> None:
    """A vault without space says so, loses nothing that it holds, and goes on by itself when there is space again."""
    office = Office()
    try:
        ballast = small_disk / "ballast"
        ballast.write_bytes(b"x" * 4_000_000)
        office.vault["vault"] = office.vault["vault"].replace('"safe"', f'"{small_disk / "safe"}"')
        office.vault_root = small_disk / "safe"
        office.with_replicator()
        (office.docs / "first.txt").write_text("first")
        office.start("vault")
        office.start("replicator")
        until((office.current / "first.txt").exists, "the first file is at the vault")
        for number in range(8):
            (office.docs / f"large{number}.bin").write_bytes(os.urandom(700_000))
        until(lambda: _full(office), "the vault tells that it is full")
        assert office.program("vault").running
        assert office.program("replicator").running
        ballast.unlink()
        for number in range(3, 8):
            (office.docs / f"large{number}.bin").unlink()
        wanted = snapshot(office.docs)
        until(lambda: office.shows(wanted), "the rest follows", limit=120, pause=0.5)
        assert same(wanted, office.restore("back", file="vault"))
        office.bongsu("verify", file="vault")
    finally:
        office.close()


def _full(office: Office) -> bool:
    metrics = office.metrics("vault")
    return any("refused" in name and value > 0 for (name, _), value in metrics.items())
