"""Killed anywhere between stored and recorded, every notification arrives, and doubles carry the same id."""

import subprocess
import sys
from pathlib import Path

import pytest

from alerts.desk import Desk
from alerts.views import Progress
from tests.alerts.dying import COUNT
from tests.alerts.support import receiving, site

ROOT = Path(__file__).parents[2]


def _start(folder: Path, url: str, point: str, count: int) -> int:
    command = [sys.executable, "-m", "tests.alerts.dying", str(folder), url, point, str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in {0, -9}, done.stderr
    return done.returncode


@pytest.mark.parametrize(
    ("point", "count"),
    [("stored", 1), ("claimed", 1), ("sent", 1), ("sent", 3), ("recorded", 1), ("recorded", 4)],
)
def test_every_notification_arrives_although_the_process_is_killed(tmp_path: Path, point: str, count: int) -> None:
    """Killed twice at the same point, then run to the end: each alarm reached its contact, under one id."""
    with receiving() as receiver:
        assert _start(tmp_path, receiver.url, point, count) == -9
        _start(tmp_path, receiver.url, point if point != "stored" else "claimed", count)
        assert _start(tmp_path, receiver.url, "none", 0) == 0
        got = list(receiver.got)
    ids: dict[str, set[str]] = {each["alarm"]: set() for each in got}
    for each in got:
        ids[each["alarm"]].add(each["id"])
    assert sorted(ids) == [f"hot:{number}" for number in range(COUNT)]
    assert all(len(found) == 1 for found in ids.values())
    desk = Desk.open(tmp_path / "monitor.sqlite", site(tmp_path))
    assert {view.progress for view in desk.notifications()} == {Progress.ACCEPTED}
    assert {view.id for view in desk.notifications()} == {each["id"] for each in got}
    desk.close()
