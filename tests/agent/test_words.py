"""What people read: evacuation lines, tables, words. Pure."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import words
from agent.commands.state import parts_of, wrongs
from agent.console.page import clock, value_text
from agent.console.words import words as console_words
from agent.evacuation import Line, Say, Told, decide, size_text
from agent.requests import Evacuation
from agent.shower import sources_of
from agent.table import safe, table, width
from config.model import Site

NOW = datetime(2026, 11, 22, 5, 3, 9, tzinfo=UTC)
SITE = Site(id="t", name="시험", state=Path("/tmp/t"))
HERE = Line(replicator=True, vault=True)


def _decide(
    told: dict[str, Told], evacuation: Evacuation | None, line: Line = HERE
) -> tuple[dict[str, Told], list[Say]]:
    evacuations = {"hot": evacuation} if evacuation is not None else {}
    return decide({"hot": "1"}, told, evacuations, line, now=NOW, site=SITE)


def test_what_is_still_here_is_said_with_its_size_and_age() -> None:
    """The line names count, bytes and the oldest's age; said again only when it changes."""
    oldest = int((NOW.timestamp() - 2.1) * 1e9)
    evacuation = Evacuation(point="p", pending=12, pending_bytes=3_400_000, oldest_ns=oldest)
    told, says = _decide({}, evacuation)
    assert says == [Say(alarm="hot", text="문서 대피 중: 미전송 12건(3.4MB), 가장 오래된 것 2.1초 전")]
    assert _decide(told, evacuation)[1] == []


def test_a_moment_after_the_alarm_nothing_is_said() -> None:
    """The replicator was just asked; silence for one second is no news."""
    assert _decide({}, None)[1] == []


def test_a_silent_replicator_and_a_vault_that_is_away_are_said() -> None:
    """Neither is ever dressed up as progress."""
    assert _decide({}, None, Line(replicator=False, vault=False))[1][0].text == "복제기 응답 없음, 문서 상태 모름"
    text = _decide({}, Evacuation(pending=1), Line(replicator=True, vault=False))[1][0].text
    assert text.startswith("문서 대피 중(백업 서버 연결 끊김)")


def test_completion_is_said_at_once_and_once() -> None:
    """An outdated line is taken back before the news; a later report adds nothing."""
    done = Evacuation(point="p", sealed=True, complete=True)
    told, says = _decide({}, done)
    assert [say.at_once for say in says] == [False, True, False]
    assert says[1].text == "문서 백업 완료 14:03:09, 미전송 0건"
    assert _decide(told, done)[1] == []
    assert decide({"hot": "2"}, told, {"hot": done}, HERE, now=NOW, site=SITE)[1] != []


@pytest.mark.parametrize(("count", "text"), [(0, "0B"), (999, "999B"), (1000, "1.0kB"), (3_400_000, "3.4MB")])
def test_sizes_are_powers_of_1000(count: int, text: str) -> None:
    """Bytes as people write them."""
    assert size_text(count) == text


@given(st.integers(min_value=0, max_value=10**18))
def test_every_size_has_a_short_text(count: int) -> None:
    """No number of bytes makes a message long."""
    assert len(size_text(count)) <= 9


def test_hangul_takes_two_columns() -> None:
    """Columns stay in line whatever is in them."""
    assert width("랙1") == 3
    assert table(["A", "B"], [["온도", 1], ["x", 2]]).splitlines() == ["A     B", "온도  1", "x     2"]


@given(st.text())
def test_no_name_moves_the_cursor(name: str) -> None:
    """A file's name may hold anything; what is shown holds no control characters."""
    assert all(sign.isprintable() or "\udc80" <= sign <= "\udcff" for sign in safe(name))


def test_the_language_is_the_environments() -> None:
    """LC_ALL counts before LANG."""
    assert words.language({"LANG": "ko_KR.UTF-8"}) == "ko"
    assert words.language({"LANG": "ko_KR.UTF-8", "LC_ALL": "C"}) == "en"
    assert words.language({}) == "en"


def test_both_languages_have_the_same_words() -> None:
    """No key is forgotten in one of them."""
    assert words._KO.keys() == words._EN.keys()
    assert console_words("ko").keys() == console_words("en").keys()


def test_values_as_people_read_them() -> None:
    """A lost value is a dash, never a number; yes and no are words."""
    found = console_words("ko")
    assert value_text(None, found) == "—"
    assert value_text(True, found) == "감지"
    assert value_text(25.149, found) == "25.1"
    assert clock("2026-11-22T05:03:05.120Z", SITE.zone) == "11-22 14:03:05"


def test_a_daemon_knows_best_about_itself() -> None:
    """Its own word stands; parts of the same name in other daemons are told apart."""
    monitor = {
        "parts": [{"part": "replicator", "up": True, "reason": ""}, {"part": "metrics", "up": True, "reason": ""}]
    }
    other = {
        "parts": [{"part": "replicator", "up": False, "reason": "x"}, {"part": "metrics", "up": True, "reason": ""}]
    }
    found = parts_of({"monitor": monitor, "replicator": other})
    assert {(part["part"], part["up"]) for part in found} == {
        ("replicator", False), ("metrics", True), ("replicator:metrics", True)
    }  # fmt: skip


def test_each_thing_that_is_wrong_is_named() -> None:
    """Down parts, active alarms, bad readings, blind sources, a vault that is away."""
    found = {
        "parts": [{"part": "bus", "up": False, "reason": "refused"}],
        "alarms": [{"id": "hot", "severity": "critical", "state": "acknowledged", "active": True}],
        "readings": [{"device": "r", "point": "t", "quality": "lost"}],
        "replication": {"sources": {"docs": {"blind_since": "then"}}, "vault": {"connected": False, "reason": "cut"}},
    }
    assert len(wrongs(found)) == 5
    assert wrongs({"parts": [], "alarms": [], "readings": [], "replication": None}) == []


@pytest.mark.parametrize("sources", [None, 3, "x", [1], [{"id": "docs"}, {}], {"docs": 3}, {"docs": {}}, {}])
def test_a_strange_status_is_no_source(sources: object) -> None:
    """Whatever a part reports, reading its sources raises nothing and gives only what has a name and fields."""
    assert {name for name, _ in sources_of({"sources": sources})} <= {"docs"}
