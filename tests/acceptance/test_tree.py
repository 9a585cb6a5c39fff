"""A tree that people work in comes back as it was: now, and as it was before."""

import json
import os
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.acceptance import trees
from tests.acceptance.office import Office
from tests.support.trees import Tree, same, snapshot


class Story:
    """What happened in this module's office: the trees at two moments."""

    def __init__(self, office: Office) -> None:
        """Fill the source before and while the replicator runs."""
        self.office = office
        office.with_replicator()
        docs = office.docs
        trees.save_as_editors_do(docs / "report.txt", "first edition\n")
        trees.fill(docs / "odd")
        office.start("vault")
        office.start("replicator")
        trees.clone(office.root, docs / "clone")
        trees.unpack(office.root, docs / "unpacked")
        trees.copy(docs / "odd", docs / "odd copy")
        trees.save_as_editors_do(docs / "report.txt", "second edition\n")
        office.settle()
        self.before: Tree = snapshot(docs)
        self.moment = datetime.now(ZoneInfo("Asia/Seoul")).isoformat(sep=" ", timespec="milliseconds")[:23]
        trees.reorganise(docs)
        office.settle()
        self.after: Tree = snapshot(docs)


@pytest.fixture(scope="module")
def story(office: Office) -> Story:
    """The office after its story."""
    return Story(office)


def test_current_equals_the_tree(story: Story) -> None:
    """The vault's plain files are the documents: names, bytes, modes, times, links, empty folders."""
    assert b"odd/" + trees.CP949 in story.after
    assert story.office.shows(story.after)


@pytest.mark.parametrize("file", ["room", "vault"])
def test_restore_equals_the_tree(story: Story, file: str) -> None:
    """A restore, from the server room over the network and on the vault's host, brings everything back."""
    assert same(story.after, story.office.restore(f"back to {file}", file=file))


@pytest.mark.parametrize("file", ["room", "vault"])
def test_restore_at_an_earlier_moment(story: Story, file: str) -> None:
    """A restore at a local time gives the tree as it was remembered then, deletions and moves undone."""
    assert story.before != story.after
    assert same(story.before, story.office.restore(f"earlier to {file}", "--at", story.moment, file=file))


def test_restore_of_some_paths(story: Story) -> None:
    """Only what was asked for comes back: a folder whole, a file by its name as bytes."""
    name = os.fsdecode(b"odd/" + trees.CP949)
    target = story.office.restore("some", "clone/module0", name)
    found = {path for path, node in snapshot(target).items() if node.kind == "file"}
    wanted = {path for path in story.after if path.startswith(b"clone/module0/")} | {os.fsencode(name)}
    assert found == wanted


def test_history_names_every_edition(story: Story) -> None:
    """A file that was saved three times by rename has its editions in its history, newest first."""
    answer = json.loads(story.office.bongsu("history", "report.txt", "--json").stdout)
    versions = answer["versions"] if isinstance(answer, dict) else answer
    sizes = [version.get("size") for version in versions]
    assert sizes[0] == len("third edition\n")
    assert len("second edition\n") in sizes[1:]


def test_verify_is_clean(story: Story) -> None:
    """Every object and record of the vault is what its hash says, from both ends."""
    story.office.bongsu("verify", file="vault")
    story.office.bongsu("verify", file="room")


def test_restore_never_writes_over_anything(story: Story, tmp_path: Path) -> None:
    """A target that holds something is refused by name, and nothing in it is touched."""
    (tmp_path / "mine.txt").write_text("mine")
    refused = story.office.bongsu("restore", "--to", str(tmp_path), code=None)
    assert refused.returncode in {1, 2}
    assert str(tmp_path) in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
