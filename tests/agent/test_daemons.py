"""Daemons as processes, and the command line: signals, exit codes, one-line errors."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent import site
from tests.support.ports import free_port
from tests.support.process import BONGSU, Program
from tests.support.waiting import until


@pytest.fixture
def path() -> Iterator[Path]:
    """A folder of the test's own."""
    with site.folder() as folder:
        yield folder


def _run(*arguments: str, path: Path | None = None, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [BONGSU, *arguments], capture_output=True, text=True, check=False, timeout=120, cwd=path,
        env={**os.environ, "LC_ALL": "C.UTF-8", **env},
    )  # fmt: skip


def _start(path: Path, part: str, *sections: str) -> Program:
    log = path / f"{part}-{len(list(path.glob('*.log')))}.log"
    program = Program([BONGSU, "run", part, "--config", str(site.write(path, *sections))], log)
    program.wait_for('"started"')
    return program


def test_sigterm_drains_and_ends_with_0(path: Path) -> None:
    """Each daemon stops cleanly on one signal, takes its socket away, and may start again."""
    port = free_port()
    sections = [site.SITE, site.MONITOR, site.PEOPLE, site.REPLICATOR.format(port=port), site.VAULT.format(port=port)]
    for _ in range(2):
        daemons = {part: _start(path, part, *sections) for part in ("vault", "replicator", "monitor")}
        for part in ("monitor", "replicator", "vault"):
            assert daemons[part].terminate() == 0, daemons[part].text()
            assert not (path / "state" / f"{part}.sock").exists()


def test_a_second_signal_ends_at_once(path: Path) -> None:
    """A replicator that cannot reach its vault would drain for long; who asks twice does not wait."""
    (path / "docs" / "waiting.txt").write_text("x")
    program = _start(path, "replicator", site.SITE, site.REPLICATOR.format(port=free_port()))
    program.send(signal.SIGTERM)
    program.wait_for('"stopping"')
    program.send(signal.SIGTERM)
    assert program.wait() == 1
    assert '"stopped"' not in program.text()


def test_a_second_instance_ends_with_1_and_says_which(path: Path) -> None:
    """One line, with the other's process id; the first goes on."""
    first = _start(path, "monitor", site.SITE, site.MONITOR, site.PEOPLE)
    second = _run("run", "monitor", "--config", str(path / "room.toml"))
    assert second.returncode == 1
    assert f"process {first.pid}" in second.stderr
    assert "Traceback" not in second.stderr
    assert first.running
    assert first.terminate() == 0


def test_status_of_a_vault_and_its_end(path: Path) -> None:
    """0 while all is well, 3 when the daemon is down, and the same as JSON."""
    file = str(site.write(path, site.SITE, site.VAULT.format(port=free_port())))
    program = _start(path, "vault", site.SITE, site.VAULT.format(port=free_port()))
    until(lambda: _run("status", "--config", file).returncode == 0, "all is well")
    assert '"well": true' in _run("status", "--config", file, "--json").stdout
    program.kill()
    down = _run("status", "--config", file)
    assert down.returncode == 3
    assert "not running" in down.stdout
    assert "부" not in down.stdout
    assert "중단" in _run("status", "--config", file, LC_ALL="ko_KR.UTF-8").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--help"], 0, "send-test"),
        ([], 2, "Usage"),
        (["nothing"], 2, "nothing"),
        (["run", "kitchen", "--config", "x"], 2, "kitchen"),
        (["status"], 2, "--config"),
        (["status", "--config", "/nonexistent.toml"], 2, "/nonexistent.toml"),
        (["run", "vault", "--config", "/nonexistent.toml"], 2, "/nonexistent.toml"),
        (["profiles", "no-such"], 2, "no-such"),
        (["simulate", "no-such", "--listen", "127.0.0.1:0"], 2, "no-such"),
        (["shelve", "a", "--config", "x", "--for", "soon", "--by", "kim", "--reason", "r"], 2, "soon"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_exit_codes(arguments: list[str], code: int, words: str) -> None:
    """Usage and configuration are 2, failures 1, and each says what it is about in a line without a traceback."""
    done = _run(*arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert words in done.stdout + done.stderr


def test_check_tells_all_problems_and_the_plan(path: Path) -> None:
    """Every problem with its key at exit 2; when there is none, what would be done."""
    devices = site.DEVICES.format(port=1)
    wrong = devices.replace("xy-md02", "xy-md20").replace("rack1.temperature", "rack2.temperature")
    done = _run("check", "--config", str(site.write(path, site.SITE, site.MONITOR, wrong, site.PEOPLE)))
    assert done.returncode == 2
    assert "xy-md20" in done.stderr
    assert "rack2" in done.stderr
    assert all(line.startswith("bongsu: ") for line in done.stderr.splitlines() if "notice" not in line)
    done = _run("check", "--config", str(site.write(path, site.SITE, site.MONITOR, devices, site.PEOPLE)))
    assert done.returncode == 0, done.stderr
    assert "link wire: 1 devices" in done.stdout


def test_check_connect_names_what_does_not_answer(path: Path) -> None:
    """Exit 1; the device, the vault and the channel each have a line."""
    sections = [site.DEVICES.format(port=free_port()), site.PEOPLE, site.REPLICATOR.format(port=free_port())]
    done = _run("check", "--connect", "--config", str(site.write(path, site.SITE, site.MONITOR, *sections)))
    assert done.returncode == 1
    failed = {line.split()[0] for line in done.stdout.splitlines() if " failed " in line}
    assert failed == {"device:rack1", "vault"}
    assert "channel:book" in done.stdout


def test_a_reader_that_goes_away_is_no_error() -> None:
    """`bongsu profiles | head -1` says nothing about pipes."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{BONGSU} profiles | head -c 1"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""


def test_secrets_are_not_shown(path: Path) -> None:
    """Neither check nor the logs of a daemon print what is in a secret's file."""
    (path / "token").write_text("hunter2secret")
    (path / "token").chmod(0o600)
    hook = '[[channel]]\nid = "hook"\nkind = "webhook"\nurl = "http://127.0.0.1:9/"\ntoken_file = "token"\n'
    sections = [site.SITE, site.MONITOR, site.PEOPLE, hook]
    done = _run("check", "--connect", "--config", str(site.write(path, *sections)))
    program = _start(path, "monitor", *sections)
    _run("send-test", "--config", str(path / "room.toml"))
    program.terminate()
    assert "hunter2secret" not in done.stdout + done.stderr + program.text()
