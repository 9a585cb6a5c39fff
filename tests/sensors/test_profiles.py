"""Profiles are data with a source: what ships is right, what is wrong is refused with its name and cause."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.errors import ProfileError
from sensors.plan import plan, sync_request
from sensors.profile import FIRST_REF, Kind, Point, WordOrder, decode, encode, is_binary, parse_profile
from sensors.profiles import load_profile, names

GOOD = """
id = "x"
name = "a device"
source = "its manual, page 5"
level = "documented"
[[point]]
name = "temperature"
quantity = "temperature"
function = 4
ref = 30002
pdu = 1
type = "int16"
scale = 0.1
unit = "°C"
range = [-40.0, 80.0]
"""


@pytest.mark.parametrize("name", names())
def test_what_ships_is_whole(name: str) -> None:
    """Each profile loads, names its source, and both address styles agree."""
    profile = load_profile(name)
    assert profile.source
    assert all(point.ref == FIRST_REF[point.function] + point.pdu for point in profile.point)


@pytest.mark.parametrize("name", names())
def test_every_value_survives_registers(name: str) -> None:
    """The ends of each point's range come back from the registers that hold them."""
    for point in load_profile(name).point:
        for value in (True, False) if is_binary(point) else point.range or ():
            assert decode(point, encode(point, value))[0] == pytest.approx(value)


@pytest.mark.parametrize("name", names())
def test_the_sync_read_is_like_no_other(name: str) -> None:
    """No read of a device has the size of its sync read; every point is in exactly one read."""
    profile = load_profile(name)
    blocks = plan(profile, 1)
    sync = sync_request(blocks)
    assert all(b.request.payload != sync.payload for b in blocks if b.request.function == sync.function)
    assert sorted(p.name for b in blocks for p in b.points) == sorted(p.name for p in profile.point)


def test_reads_are_merged() -> None:
    """Neighbours share a read; over a gap of more than eight registers a second one is made."""
    assert [(b.request.pdu, b.request.count) for b in plan(load_profile("xy-md02"), 1)] == [(1, 2)]
    spans = [(b.request.pdu, b.request.count) for b in plan(load_profile("eastron-sdm120"), 1)]
    assert spans == [(0, 14), (30, 2), (70, 6)]


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ("ref = 30002", "ref = 30001", "do not agree"),
        ("function = 4", "function = 3", "do not agree"),
        ("function = 4", "function = 9", "function"),
        ('quantity = "temperature"', 'quantity = "warmth"', "warmth"),
        ('unit = "°C"', 'unit = "F"', "unit"),
        ("scale = 0.1", "scael = 0.1", "scael"),
        ("scale = 0.1", "scale = 0.0", "scale"),
        ('type = "int16"', 'type = "int17"', "int17"),
        ('type = "int16"', 'type = "bit"', "bit"),
        ("range = [-40.0, 80.0]", "range = [80.0, -40.0]", "empty"),
        ("range = [-40.0, 80.0]", "", "range"),
        ("range = [-40.0, 80.0]", 'range = [-40.0, 80.0]\nfaults = ["broken"]', "broken"),
        ('source = "its manual, page 5"\n', "", "source"),
        ('id = "x"', 'id = "y"', "y"),
        ("[[point]]", "[[point", "read profile x"),
    ],
)
def test_a_wrong_profile_is_refused(old: str, new: str, cause: str) -> None:
    """Each fault is refused by the profile's name and with its cause."""
    assert old in GOOD
    with pytest.raises(ProfileError, match="read profile x") as caught:
        parse_profile(GOOD.replace(old, new, 1), "x")
    assert cause in str(caught.value)


def test_a_point_twice_is_refused() -> None:
    """Two points of one name are refused."""
    with pytest.raises(ProfileError, match="temperature twice"):
        parse_profile(GOOD + GOOD[GOOD.index("[[point]]") :], "x")


def test_an_unknown_name_gets_a_suggestion() -> None:
    """A name that is nearly right is answered with the right one."""
    with pytest.raises(ProfileError) as caught:
        load_profile("xy-md20")
    assert caught.value.hint == "did you mean xy-md02?"


def test_what_cannot_be_is_no_value() -> None:
    """A value outside the range and a number that is none are None with a reason."""
    point = load_profile("xy-md02").find("temperature")
    volts = load_profile("eastron-sdm120").find("voltage")
    assert point is not None
    assert volts is not None
    value, reason = decode(point, (9000,))
    assert value is None
    assert "900°C is outside -40 to 80°C" in reason
    assert decode(volts, (0x7FC0, 0))[0] is None
    assert decode(volts, (0x7F80, 0))[0] is None


@given(
    st.integers(-(2**31), 2**31 - 1),
    st.sampled_from([Kind.INT16, Kind.UINT16, Kind.INT32, Kind.UINT32]),
    st.sampled_from(WordOrder),
)
def test_any_integer_survives(raw: int, kind: Kind, order: WordOrder) -> None:
    """Every raw number of every type and word order comes back."""
    bits = 16 if kind.endswith("16") else 32
    raw = raw % 2**bits - (2 ** (bits - 1) if kind.startswith("int") else 0)
    point = Point(
        name="n", function=4, ref=30001, pdu=0, type=kind, order=order, quantity="distance", range=(-(2.0**33), 2.0**33)
    )
    assert decode(point, encode(point, raw))[0] == raw


@given(st.floats(-1e6, 1e6, width=32))
def test_any_float_survives(value: float) -> None:
    """Every 32-bit float comes back, rounded to nine places."""
    point = load_profile("eastron-sdm120").find("imported")
    assert point is not None
    found, _ = decode(point, encode(point, abs(value)))
    assert math.isclose(float(found or 0.0), abs(value), abs_tol=1e-9)
