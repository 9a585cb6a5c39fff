"""What the rules remember is damaged on the disk: the room is watched all the same."""

import os
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from config.model import Alarm
from sensors.rules import Watched, step
from sensors.rulestore import RuleStore, freeze
from tests.sensors.support import START, reading

SLOW = Alarm(id="hot", point="a.t", above=32.0, on_delay=timedelta(minutes=10))


def pending() -> Watched:
    """A rule whose point has just gone past the limit."""
    return step(SLOW, Watched(), reading("a.t", 40.0), 100.0).state


def test_damaged_pages_are_found_at_the_start(tmp_path: Path) -> None:
    """Noise behind a sound header is put aside too: it would stop the room at its first reading of the file."""
    path = tmp_path / "rules.sqlite"
    store = RuleStore(path)
    names = [f"hot{number}" for number in range(200)]
    store.save([freeze(SLOW.model_copy(update={"id": name}), pending(), START, 340.0) for name in names])
    store.close()
    content = bytearray(path.read_bytes())
    assert len(content) > 3 * 4096
    for start in range(4096, len(content), 4096):
        content[start : start + 512] = os.urandom(512)
    path.write_bytes(content)
    store = RuleStore(path)
    assert store.load(names) == {}
    store.save([freeze(SLOW, pending(), START, 340.0)])
    store.close()
    assert [entry.read_bytes() for entry in tmp_path.iterdir() if "damaged" in entry.name] == [content]


@pytest.mark.parametrize(("column", "value"), [("windows", "{"), ("saved_at", "yesterday"), ("saved_at", "2026-11-22")])
def test_one_row_that_cannot_be_read_stops_no_other(tmp_path: Path, column: str, value: str) -> None:
    """Its alarm begins anew."""
    store = RuleStore(tmp_path / "rules.sqlite")
    good = freeze(SLOW.model_copy(update={"id": "leak"}), pending(), START, 340.0)
    store.save([freeze(SLOW, pending(), START, 340.0), good])
    store.close()
    with closing(sqlite3.connect(tmp_path / "rules.sqlite")) as other, other:
        other.execute(f"UPDATE rule SET {column} = ? WHERE alarm = 'hot'", (value,))
    again = RuleStore(tmp_path / "rules.sqlite")
    assert again.load(["hot", "leak"]) == {"leak": good}
    again.close()
