"""What is wrong with the sensors' part of a configuration is found before anything runs."""

import pytest

from sensors.check import problems
from tests.sensors.support import make_config

GOOD = """
[[link]]
id = "bus"
url = "serial:///dev/ttyUSB0?baud=9600"
[[device]]
id = "rack1"
link = "bus"
profile = "xy-md02"
unit = 1
every = "1s"
[[device]]
id = "panel"
link = "bus"
profile = "waveshare-di8-room"
unit = 2
every = "1s"
[[alarm]]
id = "hot"
point = "rack1.temperature"
above = 32.0
[[alarm]]
id = "smoke"
point = "panel.smoke"
is = true
"""


def test_a_good_plan_has_no_problem() -> None:
    """A plan that fits is said nothing of."""
    assert problems(make_config(GOOD)) == []


@pytest.mark.parametrize(
    ("old", "new", "key", "text", "hint"),
    [
        ('"xy-md02"', '"xy-md20"', '[[device]] "rack1" profile', "none of that name", "did you mean xy-md02?"),
        ("rack1.temperature", "rack1.heat", '[[alarm]] "hot" point', "no point 'heat'", "temperature, humidity"),
        ("is = true", "above = 1.0", '[[alarm]] "smoke" above', "yes or no", "is = true"),
        ("is = true", "is = 1", '[[alarm]] "smoke" is', "yes or no", "is = true"),
        ("above = 32.0", "is = true", '[[alarm]] "hot" is', "a number", "above"),
        ("above = 32.0", "above = 80.0", '[[alarm]] "hot" above', "never gets past 80°C", "inside"),
        ("above = 32.0", "below = -40.0", '[[alarm]] "hot" below', "never gets past -40°C", "inside"),
        ("unit = 2", "unit = 1", '[[device]] "panel" unit', "twice on link bus", "of its own"),
        ("unit = 2", "unit = 250", '[[device]] "panel" unit', "not an address", "1 to 247"),
    ],
)
def test_each_fault_is_named(old: str, new: str, key: str, text: str, hint: str) -> None:
    """Each fault is told with its key, its cause and the next step."""
    assert old in GOOD
    found = {problem.key: problem for problem in problems(make_config(GOOD.replace(old, new)))}
    assert text in found[key].text
    assert hint in found[key].hint


def test_all_faults_at_once() -> None:
    """Three faults are three problems."""
    text = GOOD.replace('"xy-md02"', '"xy"').replace("is = true", "is = 1").replace("panel.smoke", "panel.smoke")
    text = text.replace("unit = 2", "unit = 0")
    assert len(problems(make_config(text))) == 3


def test_a_wire_that_is_too_slow_is_refused_with_the_excess() -> None:
    """Twenty sensors a second at 9600 baud do not fit, and it says by how much; at a third of the pace they do."""
    head = GOOD[: GOOD.index("[[device]]")]
    each = '[[device]]\nid = "d{0}"\nlink = "bus"\nprofile = "xy-md02"\nunit = {0}\nevery = "1s"\n'
    text = head + "".join(each.format(n) for n in range(1, 21))
    (problem,) = problems(make_config(text))
    assert problem.key == '[[link]] "bus"'
    # 17 characters of 10 bits, t3.5 of 4.01 ms, 20 ms pause, 30 ms to think: 71.7 ms, twenty times a second.
    assert "143%" in problem.text
    assert "43% more than there is" in problem.text
    assert "1.4 times" in problem.hint
    assert problems(make_config(text.replace('"1s"', '"3s"'))) == []
