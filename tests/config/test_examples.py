"""The examples that users copy."""

import os
import shutil
from pathlib import Path

import pytest

import alerts.check
import sensors.check
from config.check import PARTS
from config.load import Part, examine, load, load_for

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "config" / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.toml"))
SECRETS = ("bus.password", "message.token")
KEYS = ("ca.pem", "server-room.pem", "server-room.key", "vault.pem", "vault.key")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Copy the examples, with the secrets and keys beside them that they name."""
    shutil.copytree(EXAMPLES, tmp_path / "etc")
    (tmp_path / "etc" / "tls").mkdir()
    for name in (*SECRETS, *(f"tls/{key}" for key in KEYS)):
        file = tmp_path / "etc" / name
        file.write_text("something\n")
        file.chmod(0o600)
    return tmp_path / "etc"


@pytest.mark.parametrize("name", NAMES)
def test_example_loads(folder: Path, name: str) -> None:
    """Each example is right as it is shipped, once its secrets and keys are there."""
    assert load(folder / f"{name}.toml").site.name


@pytest.mark.parametrize("name", NAMES)
def test_example_earns_no_notice_but_of_its_trees(folder: Path, name: str) -> None:
    """Only the trees that this machine does not have are remarked on."""
    left = [notice for notice in examine(folder / f"{name}.toml").notices if notice.section != "source"]
    assert left == []


@pytest.mark.parametrize("name", NAMES)
def test_example_has_devices_that_exist_and_alarms_that_are_heard(folder: Path, name: str) -> None:
    """Profiles, points and the plan of each wire are right, and every severity in use has a route."""
    config = load(folder / f"{name}.toml")
    assert sensors.check.problems(config) == []
    assert alerts.check.problems(config) == []


@pytest.mark.parametrize(
    ("name", "part"),
    [("server-room", "monitor"), ("server-room", "replicator"), ("server-room", "reader"), ("vault", "vault")]
    + [("vault", "reader")]
    + [("one-machine", part) for part in ("monitor", "replicator", "vault", "reader")],
)
def test_example_serves_its_parts(folder: Path, name: str, part: Part) -> None:
    """Each daemon finds its sections in the example of its host."""
    assert part in PARTS
    assert load_for(folder / f"{name}.toml", part)


def test_relative_paths_belong_to_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path is relative to the file that it stands in, from wherever it is loaded."""
    monkeypatch.chdir(folder.parent)
    config = load(Path("etc") / "one-machine.toml")
    assert config.site.state == folder / "state"
    assert config.source[0].path == folder / "documents"
    assert config.channel[0].path == folder / "messages.jsonl"  # type: ignore[union-attr]
    assert config.vault is not None
    assert os.path.isabs(config.vault.root)  # noqa: PTH117 - the very question
