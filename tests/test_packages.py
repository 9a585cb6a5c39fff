"""Which Debian packages are asked for: what a campaign does not use is not installed for it."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "packages.sh"
_OFFICE, _DATABASE, _DPKG = "libreoffice-writer-nogui", "postgresql", "dpkg"


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ("", set()),
        ("soak", {_OFFICE, _DATABASE, _DPKG}),
        ("soak --seconds 600 --seed 7", {_OFFICE, _DATABASE, _DPKG}),
        ("soak --only line --seconds 600", set()),
        ("soak --seconds 600 --only=disk huge", set()),
        ("soak --only line office", {_OFFICE}),
        ("soak --only database packages churn", {_DATABASE, _DPKG}),
    ],
)
def test_a_soak_needs_what_its_parts_use(tmp_path: Path, arguments: str, wanted: set[str]) -> None:
    """On a machine that has nothing and where nobody may install, the packages that are missing are named."""
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
    (tmp_path / "id").chmod(0o755)
    bash = shutil.which("bash")
    assert bash is not None
    asked = subprocess.run(
        [bash, SCRIPT, *arguments.split()],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": str(tmp_path)},
    )
    assert asked.returncode == 1
    missing = set(asked.stderr.split())
    assert missing & {_OFFICE, _DATABASE, _DPKG} == wanted
    assert "mosquitto-clients" in missing
