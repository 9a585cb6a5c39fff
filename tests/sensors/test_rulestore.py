"""What the rules remember over a restart, and what a clock that is set does to it: nothing."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.condition import Condition
from config.model import Alarm
from sensors.rules import Watched, step
from sensors.rulestore import RuleStore, freeze, thaw
from sensors.silence import Verdict
from sensors.teller import Teller
from sensors.watch import Watch
from tests.sensors.support import START, HandClock, reading

SLOW = Alarm(id="hot", point="a.t", above=32.0, on_delay=timedelta(minutes=10), off_delay=timedelta(minutes=5))


def pending(at: float = 100.0) -> Watched:
    """A rule whose point went past the limit at that time."""
    return step(SLOW, Watched(), reading("a.t", 40.0), at).state


def test_a_delay_does_not_start_over() -> None:
    """Four minutes before a restart and two away are six of the ten."""
    stored = freeze(SLOW, pending(100.0), START, steady=340.0)
    state = thaw(SLOW, stored, START + timedelta(minutes=2), steady=5.0)
    assert state.since == pytest.approx(5.0 - 360.0)
    early = step(SLOW, state, reading("a.t", 40.0), 5.0 + 239.0)
    assert not early.flipped
    assert step(SLOW, state, reading("a.t", 40.0), 5.0 + 240.0).flipped


def test_a_clock_set_back_costs_nothing() -> None:
    """A wall clock that went back an hour during the restart leaves the four minutes four minutes."""
    stored = freeze(SLOW, pending(100.0), START, steady=340.0)
    state = thaw(SLOW, stored, START - timedelta(hours=1), steady=5.0)
    assert state.since == pytest.approx(5.0 - 240.0)


def test_a_clock_set_forward_raises_nothing_by_itself() -> None:
    """A wall clock that went a year forward ends at most the delay; only a reading that still says so raises."""
    stored = freeze(SLOW, pending(100.0), START, steady=340.0)
    state = thaw(SLOW, stored, START + timedelta(days=365), steady=5.0)
    assert not state.active
    assert not step(SLOW, state, reading("a.t", 20.0), 6.0).flipped
    assert step(SLOW, state, reading("a.t", 40.0), 6.0).flipped


def test_other_settings_keep_the_alarm_but_not_its_delay() -> None:
    """A changed limit keeps what is raised and starts the delay anew."""
    stored = freeze(SLOW, Watched(active=True, since=100.0), START, steady=200.0)
    state = thaw(SLOW.model_copy(update={"above": 35.0}), stored, START, steady=5.0)
    assert state == Watched(active=True)


def test_a_window_outlives_a_restart() -> None:
    """The lowest values of a rise's window keep their age."""
    alarm = Alarm.model_validate({"id": "fast", "point": "a.t", "rises": {"by": 5.0, "within": "15m"}})
    state = step(alarm, Watched(), reading("a.t", 20.0), 100.0).state
    back = thaw(alarm, freeze(alarm, state, START, steady=160.0), START + timedelta(minutes=1), steady=1000.0)
    assert back.windows["a.t"][0] == pytest.approx((880.0, 20.0))
    assert step(alarm, back, reading("a.t", 25.0), 1001.0).flipped


def test_states_are_on_disk(tmp_path: Path) -> None:
    """What was saved is read by the next process, the newest of each alarm."""
    store = RuleStore(tmp_path / "rules.sqlite")
    first = freeze(SLOW, Watched(), START, 0.0)
    second = freeze(SLOW, Watched(active=True, value="40°C"), START, 0.0)
    store.save([first])
    store.save([second])
    store.close()
    again = RuleStore(tmp_path / "rules.sqlite")
    assert again.load(["hot"]) == {"hot": second}
    assert again.load(["leak"]) == {}, "an alarm that is no longer configured is forgotten"
    assert again.load(["hot"]) == {}
    again.close()


def test_a_damaged_file_is_put_aside(tmp_path: Path) -> None:
    """A state file that is no database is kept under another name, and watching begins anew."""
    path = tmp_path / "rules.sqlite"
    path.write_bytes(b"this is no database, it is a long line of text" * 200)
    store = RuleStore(path)
    assert store.load(["hot"]) == {}
    store.close()
    aside = [entry for entry in tmp_path.iterdir() if "damaged" in entry.name]
    assert len(aside) == 1
    assert aside[0].read_bytes().startswith(b"this is no database")


class Desk:
    """What the watch tells, and the whole way to it, with clocks set by hand."""

    def __init__(self, path: Path, *alarms: Alarm) -> None:
        self.told: list[Condition] = []
        self.clock = HandClock()
        self.store = RuleStore(path)
        self.teller = Teller(self.store, self.told.append)
        self.watch = Watch(alarms, {"a.t": "°C"}, self.teller, self.clock, "ko")
        self.watch.restore(self.store.load([alarm.id for alarm in alarms]))

    def take(self, value: float | None, seconds: float = 0.0) -> list[tuple[str, bool]]:
        """Let time pass, give a reading, and say all that was told so far."""
        self.clock.pass_(seconds)
        self.watch.take(reading("a.t", value))
        return self.flush()

    def flush(self) -> list[tuple[str, bool]]:
        """Store and tell what is there."""
        assert asyncio.run(self.teller.flush())
        return [(condition.alarm, condition.active) for condition in self.told]


def test_a_restart_neither_raises_twice_nor_clears(tmp_path: Path) -> None:
    """After a restart an alarm that is up is told as up again, the same, and cleared only by a reading."""
    alarm = Alarm(id="hot", point="a.t", above=32.0, text="랙1 온도", evacuate=True)
    desk = Desk(tmp_path / "rules.sqlite", alarm)
    assert desk.take(40.0) == [("hot", True)]
    desk.store.close()
    after = Desk(tmp_path / "rules.sqlite", alarm)
    assert after.flush() == [("hot", True)]
    again = after.told[0]
    assert (again.value, again.limit, again.text, again.evacuate) == ("40°C", "32°C 초과", "랙1 온도", True)
    assert after.take(None, 5.0) == [("hot", True)]
    assert after.take(41.0, 5.0) == [("hot", True)] * 2
    assert after.told[-1].value == "41°C", "it is the same alarm with its value of now"
    assert after.take(20.0, 5.0) == [("hot", True), ("hot", True), ("hot", False)]
    after.store.close()


def test_the_value_of_an_alarm_that_holds_is_told_as_it_moves(tmp_path: Path) -> None:
    """At most once a second, only while it holds, and only when it is another; after the clearing never again."""
    desk = Desk(tmp_path / "rules.sqlite", Alarm(id="hot", point="a.t", above=32.0))
    for value, seconds in [(33.1, 0.0), (35.0, 0.9), (36.0, 0.1), (36.0, 5.0), (50.0, 5.0), (20.0, 1.0), (21.0, 9.0)]:
        desk.take(value, seconds)
    assert [(each.value, each.active) for each in desk.told] == [
        ("33.1°C", True),
        ("36°C", True),
        ("50°C", True),
        ("20°C", False),
    ]
    desk.store.close()


def test_a_value_that_was_not_taken_is_not_told_late(tmp_path: Path) -> None:
    """While the desk refuses, values do not pile up, and none overtakes the raising or follows the clearing."""
    desk = Desk(tmp_path / "rules.sqlite", Alarm(id="hot", point="a.t", above=32.0))
    told: list[Condition] = []

    def refuse(_condition: Condition) -> None:
        raise OSError("disk full")

    desk.teller._on_condition = refuse
    for value in range(40, 60):
        desk.clock.pass_(2.0)
        desk.watch.take(reading("a.t", float(value)))
        assert not asyncio.run(desk.teller.flush())
    desk.teller._on_condition = told.append
    desk.watch.take(reading("a.t", 20.0))
    assert asyncio.run(desk.teller.flush())
    assert [(each.value, each.active) for each in told] == [("40°C", True), ("20°C", False)]
    desk.store.close()


def test_a_clock_that_jumps_while_running_changes_nothing(tmp_path: Path) -> None:
    """While the process lives delays are measured steadily: the wall may jump a year both ways."""
    alarm = Alarm(id="hot", point="a.t", above=32.0, on_delay=timedelta(seconds=10))
    desk = Desk(tmp_path / "rules.sqlite", alarm)
    desk.take(40.0)
    desk.clock.wall += timedelta(days=365)
    assert ("hot", True) not in desk.take(40.0, 5.0)
    desk.clock.wall -= timedelta(days=900)
    assert ("hot", True) not in desk.take(40.0, 4.0)
    assert ("hot", True) in desk.take(40.0, 1.0)
    desk.store.close()


def test_a_broken_rule_is_set_aside_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that raises is told and rests; the other rule of the same point goes on; it works again later."""

    def flawed(alarm: Alarm, *rest: object) -> object:
        if alarm.id == "hot":
            raise ZeroDivisionError("a flaw")
        return step(alarm, *rest)  # type: ignore[arg-type]

    desk = Desk(
        tmp_path / "rules.sqlite", Alarm(id="hot", point="a.t", above=32.0), Alarm(id="warm", point="a.t", above=28.0)
    )
    monkeypatch.setattr("sensors.watch.step", flawed)
    assert desk.take(40.0) == [("rule:hot", True), ("warm", True)]
    assert "a flaw" in desk.told[0].reason
    monkeypatch.undo()
    assert ("hot", True) not in desk.take(40.0, 30.0)
    assert desk.take(40.0, 31.0)[-2:] == [("hot", True), ("rule:hot", False)]
    desk.store.close()


def test_silence_is_told_once(tmp_path: Path) -> None:
    """A finding is told when it changes, not each time it is found."""
    desk = Desk(tmp_path / "rules.sqlite")
    for active in (False, True, True, True, False, False):
        desk.watch.verdict(Verdict("lost:a", active=active, subject="a", reason="no answer"))
    assert desk.flush() == [("lost:a", False), ("lost:a", True), ("lost:a", False)]
    assert desk.told[1].text == "a 응답 없음"
    desk.store.close()


def test_what_is_not_taken_is_told_again(tmp_path: Path) -> None:
    """A condition that the desk refuses is kept, in order, and holds up no other alarm's; a full disk neither."""
    store = RuleStore(tmp_path / "rules.sqlite")
    taken: list[tuple[str, bool]] = []
    refused = {"hot"}

    def take(condition: Condition) -> None:
        if condition.alarm in refused:
            raise OSError("disk full")
        taken.append((condition.alarm, condition.active))

    teller = Teller(store, take)
    for alarm, active in (("hot", True), ("hot", False), ("leak", True)):
        teller.tell(Condition(alarm=alarm, active=active, severity=SLOW.severity, text="", at=START))
    teller.store(freeze(SLOW, Watched(), START, 0.0))
    store.close()
    assert not asyncio.run(teller.flush())
    assert taken == [("leak", True)]
    refused.clear()
    teller._store = RuleStore(tmp_path / "rules.sqlite")
    assert asyncio.run(teller.flush())
    assert taken == [("leak", True), ("hot", True), ("hot", False)]
    assert set(teller._store.load(["hot"])) == {"hot"}
    teller._store.close()
