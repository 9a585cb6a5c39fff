"""When a device is asked next and when it is lost: pure decisions on a timeline."""

from sensors.health import Health, next_ask
from sensors.silence import GRACE, Verdict, verdicts
from sensors.words import say_part


def device(every: float = 1.0, now: float = 100.0, *, answered: bool = True) -> Health:
    """A device of one point, that answered at that time."""
    health = Health(every=every, since=now, points={"t": 0})
    if answered:
        health.answered(now)
        health.good(("t",), now)
    return health


def fail(health: Health, now: float) -> set[str]:
    """One ask without an answer."""
    health.unanswered(now)
    return health.bad(("t",), now, "no answer")


def fail_until_lost(health: Health, now: float) -> float:
    """Fail on the device's own schedule until it is lost. Returns when that was."""
    for _ in range(50):
        now = next_ask(now, now, health)
        if fail(health, now):
            return now
    raise AssertionError("never lost")


def active(found: list[Verdict]) -> set[str]:
    """The alarms that hold."""
    return {verdict.alarm for verdict in found if verdict.active}


def test_an_answering_device_keeps_its_grid() -> None:
    """A read that took long does not move the grid, and what was missed is not caught up."""
    assert next_ask(100.0, 100.2, device()) == 101.0
    assert next_ask(100.0, 105.7, device()) == 106.0


def test_two_failures_are_not_a_loss() -> None:
    """Two failed asks, however far apart, leave the point as it is."""
    health = device()
    assert fail(health, 103.0) == set()
    assert fail(health, 109.0) == set()
    assert fail(health, 110.0) == {"t"}


def test_lost_needs_three_periods_too() -> None:
    """Three quick failures of a device with a period of 10 s are no loss before 30 s are over; then at once."""
    health = device(every=10.0)
    assert 130.0 <= fail_until_lost(health, 110.0) <= 132.0


def test_a_fast_device_is_lost_within_seconds() -> None:
    """A device asked each second is lost some three seconds after its last answer."""
    assert 103.0 <= fail_until_lost(device(), 100.0) <= 105.0


def test_a_dead_device_is_asked_ever_less() -> None:
    """The waits grow to 30 s and no further."""
    health, now, waits = device(), 100.0, []
    for _ in range(12):
        fail(health, now)
        later = next_ask(now, now, health)
        waits.append(later - now)
        now = later
    assert waits[2:] == sorted(waits[2:])
    assert waits[-1] == 30.0


def test_a_slow_device_is_not_asked_more_often_for_being_dead() -> None:
    """A device asked each minute keeps its minute when it is lost."""
    health = device(every=60.0)
    now = fail_until_lost(health, 160.0)
    assert next_ask(now, now, health) - now == 60.0


def test_one_silent_device_is_told_alone() -> None:
    """A silent device whose neighbour answers is told, its link is well."""
    healths = {"a": device(), "b": device()}
    now = fail_until_lost(healths["a"], 100.0)
    healths["b"].answered(now)
    found = verdicts("wire", healths, None, now)
    assert active(found) == {"lost:a"}
    assert Verdict("link:wire", active=False, subject="wire", reason="it answers") in found


def test_nonsense_is_not_silence() -> None:
    """A device that answers what cannot be used is told as that; one that does not answer, as silent."""
    for answers in (True, False):
        healths = {"a": device(), "b": device()}
        now = 100.0
        while not healths["a"].lost:
            now += 1.0
            healths["a"].answered(now) if answers else healths["a"].unanswered(now)
            healths["a"].bad(("t",), now, "95 is outside 0 to 80" if answers else "no answer")
        healths["b"].answered(now)
        (told,) = [each for each in verdicts("wire", healths, None, now) if each.active]
        assert (told.alarm, told.answers) == ("lost:a", answers)
    assert say_part("lost:a", "a", "ko", answers=True) == "a 측정값 사용 불가"
    assert say_part("lost:a", "a", "ko") == "a 응답 없음"


def test_a_cut_wire_is_one_alarm() -> None:
    """When the whole link falls silent there is one alarm for it, and none for its devices on the way."""
    healths = {name: device() for name in "abc"}
    told: set[str] = set()
    now = 100.0
    for name in "abc":
        now = fail_until_lost(healths[name], 100.0)
        told |= active(verdicts("wire", healths, None, now))
    assert told == {"link:wire"}
    healths["b"].answered(now + 1)
    healths["b"].good(("t",), now + 1)
    found = verdicts("wire", healths, None, now + 1)
    assert active(found) == {"lost:a", "lost:c"}
    assert not next(v for v in found if v.alarm == "link:wire").active


def test_a_device_that_falls_silent_last_of_a_slow_link_is_told_in_time() -> None:
    """Where no neighbour is due to answer, a lost device is told after the grace time."""
    healths = {"a": device(), "b": device(every=3600.0)}
    now = fail_until_lost(healths["a"], 100.0)
    assert active(verdicts("wire", healths, None, now)) == set()
    assert active(verdicts("wire", healths, None, now + GRACE)) == {"lost:a"}


def test_a_link_that_is_down_is_the_links_alarm() -> None:
    """With the port gone even a single device's silence is told as the link's, with the reason."""
    healths = {"a": device()}
    now = fail_until_lost(healths["a"], 100.0)
    found = verdicts("wire", healths, "no such file", now)
    assert active(found) == {"link:wire"}
    assert found[0].reason == "no such file"
    assert active(verdicts("wire", healths, None, now)) == {"lost:a"}


def test_before_the_first_answer_nothing_is_told() -> None:
    """A device that was not yet asked is neither lost nor well."""
    healths = {"a": device(answered=False)}
    assert verdicts("wire", healths, None, 100.0) == []
    assert verdicts("wire", healths, "no such file", 100.1) == []


def test_a_point_without_a_value_is_told() -> None:
    """A device that answers, but with no usable value of one point, is told with that point's name."""
    health = Health(every=1.0, since=100.0, points={"t": 0, "h": 0})
    for now in (101.0, 102.0, 103.5):
        health.answered(now)
        health.good(("h",), now)
        health.bad(("t",), now, "outside its range")
    found = verdicts("wire", {"a": health}, None, 104.0)
    assert active(found) == {"lost:a"}
    assert "(t)" in found[0].reason
