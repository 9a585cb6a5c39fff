"""Routing, escalation, retry, words, ids and clocks: pure decisions."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import escalation
from alerts.check import problems
from alerts.clock import SteadyClock
from alerts.event import Kind, next_id
from alerts.message import Words, compose, span
from alerts.retry import ASIDE, LONGEST_PAUSE, PATIENCE, Tries, after_failure, fallback, pause
from alerts.routing import Delivery, around, deliveries, plan
from config.model import Route, Severity
from tests.alerts.support import START, site

ROUTES = [
    Route.model_validate(
        {
            "severity": ["alert", "critical"],
            "steps": [
                {"contacts": ["kim"], "channels": ["a", "b"], "repeat": "60s", "times": 2},
                {"after": "5m", "contacts": ["lee", "kim"], "channels": ["c"]},
            ],
        }
    ),
    Route.model_validate({"severity": ["critical"], "steps": [{"contacts": ["kim", "park"], "channels": ["b", "d"]}]}),
]


def test_a_severity_goes_through_every_route_that_names_it() -> None:
    """Two routes name critical, one names alert, none names notice."""
    assert [(step.route, step.step) for step in plan(ROUTES, Severity.CRITICAL)] == [(0, 0), (0, 1), (1, 0)]
    assert [step.route for step in plan(ROUTES, Severity.ALERT)] == [0, 0]
    assert plan(ROUTES, Severity.NOTICE) == []


def test_a_contact_in_two_steps_is_told_once() -> None:
    """Who stands in two steps due at once gets one message, by the channels of both."""
    first, _, third = plan(ROUTES, Severity.CRITICAL)
    assert deliveries([first, third]) == [Delivery("kim", ("a", "b", "d")), Delivery("park", ("b", "d"))]


@pytest.mark.parametrize(
    ("alarm", "channels", "expected"),
    [
        ("hot", ("a", "b"), ("a", "b")),
        ("channel:a", ("a", "b"), ("b", "a")),
        ("channel:c", ("a", "b"), ("a", "b")),
        ("channel:a", ("a",), ("b", "c", "a")),
    ],
)
def test_a_failing_channel_does_not_carry_its_own_news(
    alarm: str, channels: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    """Its alarm goes by others first, even by such as the step does not name."""
    assert around(alarm, channels, ("a", "b", "c")) == expected


def test_the_timeline_of_a_route() -> None:
    """Told at 0, repeated twice at 60 s and 120 s, the next step at 5 min, then nothing."""
    steps = plan(ROUTES, Severity.ALERT)
    calls = {call.step: call for call in escalation.begin(steps, START)}
    told = []
    for second in range(900):
        found = escalation.due(calls.values(), steps, START + timedelta(seconds=second))
        if found:
            told.append((second, str(found.kind), [each.contact for each in found.deliveries]))
            calls |= {call.step: call for call in found.calls}
    assert told == [
        (0, "escalated", ["kim"]),
        (60, "repeated", ["kim"]),
        (120, "repeated", ["kim"]),
        (300, "escalated", ["lee", "kim"]),
    ]


def test_after_a_long_stop_nobody_gets_a_burst() -> None:
    """An hour late, everything due is one telling; the repeats go on from now."""
    steps = plan(ROUTES, Severity.ALERT)
    late = START + timedelta(hours=1)
    found = escalation.due(escalation.begin(steps, START), steps, late)
    assert found is not None
    assert found.deliveries == [Delivery("kim", ("a", "b", "c")), Delivery("lee", ("c",))]
    assert [call.next_at for call in found.calls] == [late + timedelta(seconds=60), None]
    assert escalation.due(found.calls, steps, late) is None


def test_a_step_that_is_configured_no_more_is_over() -> None:
    """Calls of a route that is gone are told to nobody."""
    calls = escalation.begin(plan(ROUTES, Severity.CRITICAL), START)
    assert escalation.due(calls, [], START) is None


def _failed(tries: Tries, *, permanent: bool = False, once: bool = False, hours: float = 0) -> Any:
    now = START + timedelta(hours=hours)
    return after_failure(tries, permanent=permanent, created=START, now=now, once=once, why="timeout")


def test_the_next_channel_follows_at_once() -> None:
    """A failure of the first of two moves on without a pause, and says so."""
    tries = Tries(channels=("a", "b"), channel="a")
    found = _failed(tries)
    assert (found.tries.channel, found.pause, found.reason) == ("b", timedelta(0), "timeout: b is tried instead")
    assert fallback(tries)
    assert not fallback(found.tries)


def test_a_round_in_vain_pauses_longer_each_time() -> None:
    """Pauses of 2, 4, 8 … 60 s; after ten rounds it is set aside for five minutes each."""
    tries, pauses = Tries(channels=("a",), channel="a"), []
    for _ in range(12):
        found = _failed(tries)
        tries = found.tries
        pauses.append(found.pause.total_seconds())
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60, 60, 300, 300, 300]
    assert pause(9) == LONGEST_PAUSE
    assert pause(10) == ASIDE


def test_given_up_after_a_day() -> None:
    """A day of failures ends it, with the reason."""
    found = _failed(Tries(channels=("a",), channel="a"), hours=PATIENCE.total_seconds() / 3600)
    assert (found.pause, found.reason) == (None, "given up after 24 h: timeout")


def test_a_permanent_error_drops_the_channel() -> None:
    """A channel that can never take it is not tried again; without any other it is given up."""
    found = _failed(Tries(channels=("a", "b"), channel="a"), permanent=True)
    again = _failed(found.tries)
    assert (found.tries.channel, again.tries.channel) == ("b", "b")
    assert _failed(again.tries, permanent=True).pause is None


def test_a_test_is_tried_once() -> None:
    """Nobody wants a test message ten minutes later."""
    assert _failed(Tries(channels=("a",), channel="a"), once=True).pause is None


@settings(derandomize=True, deadline=None)
@given(
    channels=st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True),
    faults=st.lists(st.booleans(), max_size=40),
)
def test_retry_never_tries_a_dropped_channel_and_always_ends_or_goes_on(
    channels: list[str], faults: list[bool]
) -> None:
    """For any faults: the channel to try is one of the list and not dropped, or it is given up with none left."""
    tries = Tries(channels=tuple(channels), channel=channels[0])
    for permanent in faults:
        found = _failed(tries, permanent=permanent)
        if found.pause is None:
            assert set(found.tries.dropped) == set(channels)
            return
        assert found.tries.channel in set(channels) - set(found.tries.dropped)
        assert timedelta(0) <= found.pause <= ASIDE
        tries = found.tries


def _text(tmp_path: Path, language: str = "ko", **facts: Any) -> str:
    config = site(tmp_path, site={"id": "s", "name": "산청군전산실", "state": str(tmp_path), "language": language})
    known: dict[str, Any] = {
        "kind": Kind.RAISED,
        "severity": Severity.CRITICAL,
        "text": "랙1 온도",
        "value": "35.2°C",
        "limit": "32.0°C 초과",
        "at": START,
        "raised_at": START - timedelta(minutes=5),
    }
    return compose(Words(**{**known, **facts}), config.site)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, "심각 발생: 랙1 온도 35.2°C (32.0°C 초과) 14:03:05"),
        ({"severity": Severity.NOTICE}, "관심 발생: 랙1 온도 35.2°C (32.0°C 초과) 14:03:05"),
        (
            {"kind": Kind.REPEATED, "number": 2},
            "심각 반복 2: 랙1 온도 35.2°C (32.0°C 초과) 14:03:05 (발생 13:58:05)",
        ),
        ({"kind": Kind.ESCALATED}, "심각 미확인: 랙1 온도 35.2°C (32.0°C 초과) 14:03:05 (발생 13:58:05)"),
        (
            {"kind": Kind.ESCALATED, "upgraded": True},
            "심각 상향: 랙1 온도 35.2°C (32.0°C 초과) 14:03:05 (발생 13:58:05)",
        ),
        (
            {"kind": Kind.ACKNOWLEDGED, "who": "김주무관", "note": "가는 중"},
            "심각 확인: 랙1 온도 김주무관 14:03:05 가는 중",
        ),
        (
            {"kind": Kind.CLEARED, "value": "26.8°C"},
            "심각 해제: 랙1 온도 26.8°C 14:03:05 (발생 13:58:05, 지속 5분)",
        ),
        (
            {"kind": Kind.CLEARED, "raised_at": START - timedelta(days=1, hours=2)},
            "심각 해제: 랙1 온도 35.2°C 14:03:05 (발생 11-21 12:03:05, 지속 1일 2시간)",
        ),
        ({"attached": "문서 3건 남음"}, "심각 발생: 랙1 온도 35.2°C (32.0°C 초과) 14:03:05 문서 3건 남음"),
        ({"value": "", "limit": "", "text": "누수\n감지"}, "심각 발생: 누수 감지 14:03:05"),
    ],
)
def test_the_words_of_a_message(tmp_path: Path, facts: dict[str, Any], expected: str) -> None:
    """Site, level, what happened, text, value (limit), time, story, attached line; always one line."""
    assert _text(tmp_path, **facts) == f"[산청군전산실] {expected}"


def test_the_words_in_english(tmp_path: Path) -> None:
    """A site may speak English."""
    told = _text(tmp_path, "en", text="rack 1", limit="above 32.0°C")
    assert told == "[산청군전산실] CRITICAL raised: rack 1 35.2°C (above 32.0°C) 14:03:05"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0초"), (59, "59초"), (61, "1분 1초"), (3900, "1시간 5분"), (90061, "1일 1시간")]
)
def test_a_span_has_two_units(seconds: int, text: str) -> None:
    """A duration is told in its two largest units."""
    assert span(timedelta(seconds=seconds), "ko") == text


@settings(derandomize=True, deadline=None)
@given(st.lists(st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)), max_size=50))  # noqa: DTZ001
def test_ids_sort_by_order_whatever_the_clock_does(moments: list[datetime]) -> None:
    """Each id sorts after the one before, also when the clock goes back or stands still."""
    ids = [""]
    for now in moments:
        ids.append(next_id(ids[-1], now))
        ids.append(next_id(ids[-1], now))
    assert ids == sorted(set(ids))
    assert all(len(each) == 24 for each in ids[1:])


def test_an_id_carries_over_when_the_counter_is_full() -> None:
    """The 65,537th id of one millisecond belongs to the next."""
    millis = f"{int(START.timestamp() * 1000):012x}"
    assert next_id(f"{millis}ffff00000000", START)[:16] == f"{int(millis, 16) + 1:012x}0000"


def test_a_clock_set_back_does_not_hold_alarms_back() -> None:
    """Time goes on by the monotonic clock while the wall is behind, and follows the wall forward."""
    wall, ticks = [START], [0.0]
    clock = SteadyClock(lambda: wall[0], lambda: ticks[0])
    wall[0], ticks[0] = START - timedelta(hours=1), 5.0
    assert clock() == START + timedelta(seconds=5)
    wall[0], ticks[0] = START + timedelta(hours=2), 6.0
    assert clock() == START + timedelta(hours=2)


def test_check_names_alarms_that_nobody_would_hear(tmp_path: Path) -> None:
    """An alarm whose severity has no route is a problem with its key and a hint."""
    alarm = {"id": "door", "point": "door.open", "is": True, "severity": "notice"}
    found = problems(site(tmp_path, alarm=[alarm], monitor={}))
    assert [(each.key, bool(each.hint)) for each in found] == [('[[alarm]] "door" severity', True)]
    assert problems(site(tmp_path, monitor={})) == []


def test_check_names_failing_parts_that_nobody_would_hear(tmp_path: Path) -> None:
    """A monitor without a route for `alert` cannot tell of its own failing parts."""
    route = {"severity": ["critical"], "steps": [{"contacts": ["kim"], "channels": ["one"]}]}
    assert [each.key for each in problems(site(tmp_path, route=[route], monitor={}))] == ["[[route]] severity"]
