"""The small parts of the demonstration, each for itself."""

import os
import string
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.demo import words
from agent.demo.compare import differences, measure
from agent.demo.documents import Documents
from agent.demo.measures import buckets, quantile
from agent.demo.place import Place


def _tree(root: Path) -> Path:
    (root / "folder").mkdir(parents=True)
    (root / "folder" / "file.txt").write_text("text")
    (root / "link").symlink_to("folder")
    for path in (root / "folder" / "file.txt", root / "folder"):
        os.utime(path, ns=(1, 1_000_000_000))
    os.utime(root / "link", ns=(1, 1_000_000_000), follow_symlinks=False)
    return root


def test_equal_trees_have_no_difference(tmp_path: Path) -> None:
    """Two trees with the same names, bytes, modes, times and links are equal."""
    assert differences(_tree(tmp_path / "one"), _tree(tmp_path / "two")) == []
    assert measure(tmp_path / "one") == (1, 4)


def _same_length(root: Path) -> None:
    path = root / "folder" / "file.txt"
    path.write_text("next")
    os.utime(path, ns=(1, 1_000_000_000))


def _link_elsewhere(root: Path) -> None:
    (root / "link").unlink()
    (root / "link").symlink_to("elsewhere")


def _folder_for_link(root: Path) -> None:
    (root / "link").unlink()
    (root / "link").mkdir()


_CHANGES: dict[str, Callable[[Path], object]] = {
    "bytes": _same_length,
    "mode": lambda root: (root / "folder" / "file.txt").chmod(0o600),
    "time": lambda root: os.utime(root / "folder" / "file.txt", ns=(1, 2)),
    "missing": lambda root: (root / "folder" / "file.txt").unlink(),
    "more": lambda root: (root / "folder" / "more").mkdir(),
    "link": _link_elsewhere,
    "kind": _folder_for_link,
}


@pytest.mark.parametrize("change", sorted(_CHANGES))
def test_every_difference_is_named(tmp_path: Path, change: str) -> None:
    """One change of bytes (same length and time), mode, time, link or kind, one path too few or too many, is told."""
    wanted, found = _tree(tmp_path / "one"), _tree(tmp_path / "two")
    _CHANGES[change](found)
    assert differences(wanted, found)


def test_quantiles_are_those_of_prometheus() -> None:
    """A quantile is linear within its bucket; without observations there is none."""
    samples = [("x_bucket", {"le": le}, count) for le, count in (("0.1", 50.0), ("0.2", 100.0), ("+Inf", 100.0))]
    histogram = buckets(samples, "x")
    assert quantile(histogram, 0.5) == pytest.approx(0.1)
    assert quantile(histogram, 0.75) == pytest.approx(0.15)
    assert quantile({}, 0.5) is None


def test_both_languages_say_the_same() -> None:
    """Each text names the same values in Korean and English, though one may leave out what the other needs."""
    for korean, english in words._TEXTS.values():
        names = [{field for _, field, _, _ in string.Formatter().parse(text) if field} for text in (korean, english)]
        assert names[0] == names[1] or names[0] > names[1]


@pytest.mark.parametrize(
    ("environment", "tongue"),
    [
        ({}, "ko"),
        ({"LANG": "C.UTF-8"}, "ko"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "ko_KR.UTF-8"}, "ko"),
    ],
)
def test_language(environment: dict[str, str], tongue: str) -> None:
    """Korean unless the user's locale is English."""
    assert words.language(environment) == tongue


def test_a_folder_of_any_name_is_configured(tmp_path: Path) -> None:
    """Quotes, backslashes and Hangul in the folder's name come through the configuration file."""
    place = Place(tmp_path / 'a "quoted" \\ 폴더')
    try:
        file = place.write("room", "ko", devices="", sink="http://127.0.0.1:1/")
        assert tomllib.loads(file.read_text("utf-8"))["source"][0]["path"] == str(place.folder)
    finally:
        place.remove()
    assert place.folder.is_dir()
    assert not place.root.exists()


def test_the_office_writes_whole_documents(tmp_path: Path) -> None:
    """After many steps there are documents, kept ones among them, and no half-saved one."""
    office = Documents(tmp_path, seed=3)
    for _ in range(200):
        office.step()
    names = [path.name for path in office.folder.rglob("*") if path.is_file()]
    assert len(names) > 20
    assert not [name for name in names if name.endswith(".new")]
    assert any((office.folder / "보존문서").iterdir())
