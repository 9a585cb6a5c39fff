"""Every fault that a file can have, each in a file named for it; what is wanted stands in the file's first lines."""

import re
import shutil
from pathlib import Path

import pytest

from config.errors import ConfigError, Problem
from config.load import load, notices

HERE = Path(__file__).parent
FAULTS = sorted(path.stem for path in (HERE / "faults").glob("*.toml"))
NOTICES = sorted(path.stem for path in (HERE / "notices").glob("*.toml"))
WANTED = re.compile(r"# key: (.*)\n# text: (.*)\n# hint: ?(.*)\n")


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the files to where their rights can be set: a checkout keeps none."""
    folder = tmp_path_factory.mktemp("files")
    for name in ("faults", "notices"):
        shutil.copytree(HERE / name, folder / name)
    (folder / "faults" / "secret-of-the-tests").chmod(0o600)
    (folder / "faults" / "world-readable").chmod(0o644)
    return folder


def wanted(path: Path) -> list[tuple[str, str, str]]:
    """Read what the file's first lines want to be found."""
    found = WANTED.findall(path.read_text(encoding="utf-8"))
    assert found
    return [(key, text, hint) for key, text, hint in found]


def compare(found: list[Problem], want: list[tuple[str, str, str]]) -> None:
    """Compare, in any order, and nothing beside it."""
    left = {problem.key: problem for problem in found}
    assert sorted(left) == sorted(key for key, _, _ in want), found
    for key, text, hint in want:
        assert text in left[key].text
        assert hint in left[key].hint


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_told(files: Path, name: str) -> None:
    """Each fault is told with its key, what is wrong and what to do, and nothing else is."""
    path = files / "faults" / f"{name}.toml"
    with pytest.raises(ConfigError) as caught:
        load(path)
    compare(caught.value.problems, wanted(path))


@pytest.mark.parametrize("name", FAULTS)
def test_fault_has_its_line(files: Path, name: str) -> None:
    """A key that stands in the file is told with its line, and no secret is told with it."""
    path = files / "faults" / f"{name}.toml"
    lines = path.read_text(encoding="utf-8").splitlines()
    with pytest.raises(ConfigError) as caught:
        load(path)
    for problem in caught.value.problems:
        last = problem.key.rpartition(" ")[2]
        if problem.text != "it is missing" and any(line.startswith(f"{last} = ") for line in lines):
            assert lines[problem.line - 1].startswith(f"{last} = ")
        assert "hunter2" not in str(problem)


@pytest.mark.parametrize("name", NOTICES)
def test_notice_is_told(files: Path, name: str) -> None:
    """What only deserves a word does not keep the file from loading."""
    path = files / "notices" / f"{name}.toml"
    load(path)
    compare(notices(path), wanted(path))
