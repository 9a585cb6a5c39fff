"""The units, users and folders that an installation gets, as systemd itself reads them."""

import configparser
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "systemd").glob("*.service"))
INSTALLED = "/opt/bongsu/bin/bongsu"


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """Copy the units, with a program in place of the one that is not installed here."""
    copies = []
    for unit in UNITS:
        copy = tmp_path / unit.name
        text = unit.read_text()
        assert INSTALLED in text
        copy.write_text(text.replace(INSTALLED, "/bin/true"))
        copies.append(copy)
    return copies


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=180)


def service(name: str) -> dict[str, str]:
    """Read a unit's service section; of a key that stands twice the last."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(ROOT / "systemd" / f"bongsu-{name}.service")
    return dict(parser["Service"])


def test_there_is_a_unit_for_each_daemon() -> None:
    """Three daemons, three units, each running its part."""
    assert [unit.stem for unit in UNITS] == ["bongsu-monitor", "bongsu-replicator", "bongsu-vault"]
    for unit in UNITS:
        part = unit.stem.removeprefix("bongsu-")
        assert service(part)["ExecStart"] == f"{INSTALLED} run {part} --config /etc/bongsu/bongsu.toml"


def test_systemd_finds_nothing_wrong(units: list[Path]) -> None:
    """`systemd-analyze verify` has nothing to say about our units."""
    result = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *units)
    about_ours = [line for line in result.stderr.splitlines() if "bongsu" in line]
    assert (result.returncode, about_ours) == (0, [])


def test_the_right_to_watch_a_whole_file_system_is_added(units: list[Path]) -> None:
    """The optional file beside the replicator's unit is read by systemd as an addition to what the unit allows."""
    unit = next(unit for unit in units if "replicator" in unit.name)
    folder = unit.with_name(f"{unit.name}.d")
    folder.mkdir()
    (folder / "fanotify.conf").write_text((ROOT / "systemd" / "bongsu-replicator.fanotify.conf").read_text())
    result = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit)
    about_ours = [line for line in result.stderr.splitlines() if "bongsu" in line or "fanotify" in line]
    assert (result.returncode, about_ours) == (0, [])


def test_verify_sees_a_wrong_key(units: list[Path]) -> None:
    """The check above can fail: a misspelt key is told."""
    units[0].write_text(units[0].read_text().replace("Restart=always", "Restrat=always"))
    assert "Restrat" in run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *units).stderr


def test_exposure_is_low(units: list[Path]) -> None:
    """Systemd's own measure of what a taken-over daemon could reach stays at or under 2.5 of 10."""
    for unit in units:
        result = run("systemd-analyze", "security", "--offline=true", "--threshold=25", "--no-pager", unit)
        level = re.search(r"Overall exposure level for \S+: ([\d.]+)", result.stdout)
        assert level is not None, result.stderr
        assert result.returncode == 0, f"{unit.name}: {level[1]}"


def test_daemons_come_back() -> None:
    """Each is started again for ever, and is given time to drain."""
    for part in ("monitor", "replicator", "vault"):
        unit = (ROOT / "systemd" / f"bongsu-{part}.service").read_text()
        assert service(part)["Restart"] == "always"
        assert "StartLimitIntervalSec=0" in unit
        assert service(part)["TimeoutStopSec"] == "90s"


def test_rights_are_what_each_needs() -> None:
    """The replicator reads every document; the others have no capability, and nobody can unmark immutable files."""
    assert service("replicator")["CapabilityBoundingSet"] == "CAP_DAC_READ_SEARCH"
    assert service("replicator")["AmbientCapabilities"] == "CAP_DAC_READ_SEARCH"
    for part in ("monitor", "vault"):
        assert service(part)["CapabilityBoundingSet"] == ""


def test_users_and_folders_can_be_made(tmp_path: Path) -> None:
    """Systemd makes the users and folders from our files, with secrets closed to others."""
    systemd = ROOT / "systemd"
    (tmp_path / "etc").mkdir()
    made = run("systemd-sysusers", f"--root={tmp_path}", systemd / "bongsu.sysusers.conf")
    assert made.returncode == 0, made.stderr
    users = (tmp_path / "etc" / "passwd").read_text()
    assert {"bongsu", "bongsu-vault"} <= {line.split(":")[0] for line in users.splitlines()}
    made = run("systemd-tmpfiles", f"--root={tmp_path}", "--create", systemd / "bongsu.tmpfiles.conf")
    assert made.returncode == 0, made.stderr
    modes = {path: (tmp_path / path).stat().st_mode & 0o777 for path in ("etc/bongsu", "var/lib/bongsu", "srv/bongsu")}
    assert modes == {"etc/bongsu": 0o750, "var/lib/bongsu": 0o770, "srv/bongsu": 0o750}


def test_units_agree_with_folders() -> None:
    """A unit writes where a folder is made for it, and runs as a user that exists."""
    folders = re.findall(r"^d (\S+)", (ROOT / "systemd" / "bongsu.tmpfiles.conf").read_text(), re.MULTILINE)
    users = re.findall(r"^u (\S+)", (ROOT / "systemd" / "bongsu.sysusers.conf").read_text(), re.MULTILINE)
    for part in ("monitor", "replicator", "vault"):
        unit = service(part)
        assert unit["User"] in users
        assert f"/var/lib/{unit['StateDirectory']}" in folders
        assert unit.get("ReadWritePaths", "/srv/bongsu").removeprefix("-") in folders


def test_kernel_limits_are_readable() -> None:
    """Each line of the kernel's settings names one that this kernel has."""
    lines = (ROOT / "systemd" / "bongsu.sysctl.conf").read_text().splitlines()
    settings = [line.split("=")[0].strip() for line in lines if line and not line.startswith("#")]
    assert settings
    assert all((Path("/proc/sys") / name.replace(".", "/")).exists() for name in settings)
