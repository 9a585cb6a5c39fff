"""The pages that people read first: a path that they name is there, and both languages say the same."""

import re
from pathlib import Path

import pytest

from config.channels import NOT_AVAILABLE

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    "README.ko.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/certificates.md",
    "docs/certificates.ko.md",
)
FOLDERS = sorted(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "_")))


def read(page: str) -> str:
    """Read a page."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[str]:
    """Return the commands that a page shows, block by block."""
    return re.findall(r"```(?:sh|console)\n(.*?)```", read(page), re.DOTALL)


def named(page: str) -> set[str]:
    """Return the paths of this tree that a page names: in code, and as the target of a link."""
    code = re.findall(r"`([^`\s]+)`", read(page))
    ours = {word for word in code if word.split("/")[0] in FOLDERS and "/" in word}
    ours |= {word for word in code if re.fullmatch(r"[A-Za-z.]+\.(?:md|toml|py)", word) and word[0].isupper()}
    links = re.findall(r"\]\(([^)#:]+)\)", read(page))
    return ours | {str((ROOT / page).parent.joinpath(link).relative_to(ROOT)) for link in links}


@pytest.mark.parametrize("page", PAGES)
def test_every_path_is_there(page: str) -> None:
    """No page leads to a file or folder that is not there."""
    assert [path for path in sorted(named(page)) if not (ROOT / path).exists()] == []


def test_the_pages_name_paths() -> None:
    """The check above has something to check."""
    assert len(named("README.md")) > 15
    assert {"config/examples/vault.toml", "replicator/FORMAT.md", "CONTRIBUTING.md"} <= named("README.md")


def test_both_languages_show_the_same_commands() -> None:
    """Whoever reads Korean types what whoever reads English types."""
    assert len(blocks("README.md")) == 4
    assert blocks("README.md") == blocks("README.ko.md")


def test_both_languages_name_the_same_paths() -> None:
    """Both pages lead to the same places; each to the page of its own language."""
    english = {path.replace("README.ko.md", "README.md") for path in named("README.md")}
    korean = {path.replace(".ko.md", ".md") for path in named("README.ko.md")}
    assert english - {"README.md"} == korean - {"README.md"}


def test_both_languages_have_the_same_words() -> None:
    """The glossary has the same pairs in both."""
    row = re.compile(r"^\| ([^|`]+) \| ([^|`]+) \| [^|]+\|$", re.MULTILINE)
    english = {(one, other) for one, other in row.findall(read("README.md"))}
    korean = {(other, one) for one, other in row.findall(read("README.ko.md"))}
    assert len(english) > 15
    assert english - {("word", "한국어")} == korean - {("영어", "한국어")}


def test_make_knows_what_is_named() -> None:
    """Each target that a page names is one of the Makefile's."""
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"\bmake ([a-z]+)\b(?=`|\n| TESTS)", read(page))) <= targets


def test_changes_name_what_is_not_available() -> None:
    """The list of what is not there yet is whole."""
    missing = read("CHANGELOG.md").split("### Not yet available")[1]
    assert [kind for kind in NOT_AVAILABLE if f"`{kind}`" not in missing] == []
