"""The demonstration as a user runs it; exit code 0 is a proof, and it can fail."""

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.process import BONGSU, Program
from tests.support.waiting import until

#: Bytes of a document that is an object of its own, for no record takes it.
_LARGE = 1_600_000


class Run:
    """One `bongsu demo` on a folder of ours."""

    def __init__(self, root: Path, *arguments: str, lang: str = "ko_KR.UTF-8") -> None:
        """Start it."""
        self.folder = root / "문서"
        self.report = root / "report.json"
        env = os.environ | {"LANG": lang, "LC_ALL": lang, "PYTHONIOENCODING": "utf-8"}
        command = [BONGSU, "demo", "--folder", str(self.folder), *arguments]
        self.program = Program(command, root / "demo.log", env=env)

    @property
    def place(self) -> Path:
        """The demonstration's own folder, as it said."""
        found = re.search(r"/\S*bongsu-demo-\w+", self.program.text())
        assert found
        return Path(found[0])

    def written(self) -> Any:
        """The report."""
        return json.loads(self.report.read_text("utf-8"))

    def children(self) -> list[psutil.Process]:
        """Every process whose command line names the place."""
        found = psutil.process_iter(["cmdline"])
        return [child for child in found if str(self.place) in " ".join(child.info["cmdline"] or [])]


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[list[Run]]:
    """Runs to be ended after the test."""
    started: list[Run] = []
    yield started
    for run in started:
        run.program.terminate()
        shutil.rmtree(run.place, ignore_errors=True)


def test_a_short_run_proves_itself(tmp_path: Path) -> None:
    """It ends by itself with 0: three alarms told on both ways, the folder restored equal, the vault sound."""
    run = Run(tmp_path, "--for", "5", "--report", str(tmp_path / "report.json"))
    assert run.program.wait(200) == 0, run.program.text()
    report = run.written()
    assert report["passed"]
    assert [alarm["alarm"] for alarm in report["alarms"]] == ["rack1-hot", "floor-leak", "room-smoke"]
    assert all(alarm["written"] and alarm["message_seconds"] >= 0 for alarm in report["alarms"])
    assert report["restored_equal"]
    assert report["verified"]
    assert report["files"] >= 40
    assert 0 < report["calm"]["p50"] <= report["calm"]["p99"]
    assert report["first_reading_seconds"] > 0
    assert "시연 성공" in run.program.text()
    stray = [line for line in run.program.text().splitlines() if not re.match(r"\[ *\d+\.\d s\] | {4}bongsu ", line)]
    assert stray == [], "nothing but the story is on the terminal"
    assert run.folder.is_dir()
    assert not run.place.exists()


def test_tampering_in_the_vault_fails_it(tmp_path: Path, runs: list[Run]) -> None:
    """One byte flipped in what the vault holds: exit 1, and the report says what is damaged."""
    run = Run(tmp_path, "--for", "5", "--report", str(tmp_path / "report.json"))
    runs.append(run)
    run.program.wait_for("재난 시작")
    (run.folder / "도면.dwg").write_bytes(os.urandom(_LARGE))
    objects = until(lambda: _objects(run.place / "vault"), "a large document is at the vault")
    _flip(objects[0])
    assert run.program.wait(200) == 1, run.program.text()
    report = run.written()
    assert not report["passed"]
    assert not report["verified"] or not report["restored_equal"]
    assert report["faults"]


def test_a_message_that_cannot_be_delivered_fails_it(tmp_path: Path, runs: list[Run]) -> None:
    """With the file of messages replaced by a folder the run ends with 1 and names each alarm that was not written."""
    run = Run(tmp_path, "--for", "5", "--report", str(tmp_path / "report.json"))
    runs.append(run)
    run.program.wait_for("첫 측정값")
    messages = run.place / "messages.jsonl"
    messages.unlink(missing_ok=True)
    messages.mkdir()
    assert run.program.wait(300) == 1, run.program.text()
    report = run.written()
    assert not report["passed"]
    assert any("rack1-hot" in fault for fault in report["faults"])
    assert all(alarm["message_seconds"] is not None for alarm in report["alarms"])


def test_ctrl_c_stops_everything(tmp_path: Path, runs: list[Run]) -> None:
    """A Ctrl-C ends it with 0 and leaves no process and none of its own folders, but the user's folder; in English."""
    run = Run(tmp_path, lang="en_US.UTF-8")
    runs.append(run)
    run.program.wait_for("first reading")
    children = run.children()
    assert len(children) >= 3
    run.program.send(signal.SIGINT)
    assert run.program.wait(100) == 0, run.program.text()
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert not run.place.exists()
    assert run.folder.is_dir()


def test_a_killed_demonstration_leaves_no_orphan(tmp_path: Path, runs: list[Run]) -> None:
    """Kill -9 of the demonstration ends every process that it had started."""
    run = Run(tmp_path)
    runs.append(run)
    run.program.wait_for("첫 측정값")
    assert len(run.children()) >= 3
    place = run.place
    run.program.kill()
    until(lambda: not run.children(), "every process has ended")
    assert place.exists()


def test_a_daemon_that_ends_is_told(tmp_path: Path, runs: list[Run]) -> None:
    """A vault that is killed ends the demonstration with 1 and is named."""
    run = Run(tmp_path)
    runs.append(run)
    run.program.wait_for("첫 측정값")
    vault = next(child for child in run.children() if "vault" in child.cmdline())
    vault.kill()
    assert run.program.wait(100) == 1, run.program.text()
    assert "run vault" in run.program.text()


def _objects(vault: Path) -> list[Path]:
    found = [
        path for path in (vault / "objects").rglob("*") if path.is_file() and re.fullmatch(r"[0-9a-f]+", path.name)
    ]
    return [path for path in found if path.stat().st_size == _LARGE]


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
