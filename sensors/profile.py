"""A device profile: which registers hold what, how they are read, and who says so."""

import struct
import tomllib
from collections import Counter
from enum import StrEnum
from math import isfinite
from typing import Annotated

import msgspec
from msgspec import Meta

from sensors.errors import ProfileError
from sensors.quantity import QUANTITIES, Quantity

#: The manual's first reference of each function code's table (Modbus Application Protocol 1.1b3, 4.4).
FIRST_REF = {1: 1, 2: 10001, 3: 40001, 4: 30001}
_WORDS = {"bit": 1, "int16": 1, "uint16": 1, "int32": 2, "uint32": 2, "float32": 2, "discrete": 1}
_FORMAT = {"int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "float32": ">f"}
_ADDRESSES = 65_536


class Level(StrEnum):
    """How far a map was verified: read in a source, seen between two programs, seen on the device."""

    DOCUMENTED = "documented"
    INTEROP = "interop"
    HARDWARE = "hardware"


class Kind(StrEnum):
    """How a value lies in registers; `bit` is one bit of a register, `discrete` a coil or discrete input."""

    BIT = "bit"
    DISCRETE = "discrete"
    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    FLOAT32 = "float32"


class WordOrder(StrEnum):
    """Which word of a 32-bit value comes first; bytes in a word are always big-endian."""

    BIG = "big"
    LITTLE = "little"


class Timing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the device needs, in milliseconds.

    Attributes:
        pause_ms: silence after its answer, before the next request on the wire.
        answer_ms: how long it usually thinks; for the wire plan only.
        timeout_ms: its own time-out where it is longer than the link's.
    """

    pause_ms: Annotated[int, Meta(ge=0, le=5_000)] = 0
    answer_ms: Annotated[int, Meta(ge=0, le=10_000)] = 20
    timeout_ms: Annotated[int, Meta(ge=0, le=60_000)] = 0


class Point(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One quantity of a device.

    Attributes:
        function: Modbus function code, 1 to 4.
        ref: the manual's reference, counted from 1 (30002).
        pdu: the address on the wire, counted from 0 (1); both must agree.
        scale: multiplies the raw number into `unit`.
        range: lowest and highest believable value, in `unit`.
        invalid: raw numbers by which the device says that it has no value.
        faults: points of the same device that, when true, make this one bad (except a binary one that is true:
            what says fire is believed).
    """

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    function: Annotated[int, Meta(ge=1, le=4)]
    ref: Annotated[int, Meta(ge=1, le=105_536)]
    pdu: Annotated[int, Meta(ge=0, le=65_535)]
    type: Kind
    quantity: str
    unit: str = ""
    order: WordOrder = WordOrder.BIG
    bit: Annotated[int, Meta(ge=0, le=15)] | None = None
    scale: float = 1.0
    range: tuple[float, float] | None = None
    invalid: tuple[int, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def words(self) -> int:
        """Registers, or bits of function 1 and 2, that the value takes."""
        return _WORDS[self.type]

    @property
    def measures(self) -> Quantity:
        """What it measures."""
        return QUANTITIES[self.quantity]


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One kind of device, as data."""

    id: str
    name: str
    source: Annotated[str, Meta(min_length=8)]
    level: Level
    point: Annotated[tuple[Point, ...], Meta(min_length=1)]
    note: str = ""
    line: str = ""
    gap: Annotated[int, Meta(ge=0, le=64)] = 8
    most: Annotated[int, Meta(ge=1, le=125)] = 125
    timing: Timing = Timing()

    def find(self, name: str) -> Point | None:
        """The point of that name."""
        return next((point for point in self.point if point.name == name), None)


def parse_profile(text: str, name: str) -> Profile:
    """Read a profile.

    Raises:
        ProfileError: naming the profile, the field and the cause.
    """
    hint = "compare it with the profiles that are shipped: bongsu profiles"
    try:
        profile = msgspec.convert(tomllib.loads(text), Profile, strict=True)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, ValueError) as error:
        raise ProfileError(f"read profile {name}: {error}", hint=hint) from error
    problems = list(_problems(profile, name))
    if problems:
        raise ProfileError(f"read profile {name}: {'; '.join(problems)}", hint=hint)
    return profile


def _problems(profile: Profile, name: str) -> list[str]:
    problems = [] if profile.id == name else [f"its id is {profile.id}"]
    problems += [f"point {twice} twice" for twice, n in Counter(p.name for p in profile.point).items() if n > 1]
    for point in profile.point:
        problems += [f"point {point.name}: {text}" for text in _point_problems(profile, point)]
    return problems


def _point_problems(profile: Profile, point: Point) -> list[str]:
    quantity = QUANTITIES.get(point.quantity)
    wanted = FIRST_REF[point.function] + point.pdu
    low, high = point.range or (0.0, 1.0)
    rules = [
        (point.ref != wanted, f"ref {point.ref} and pdu {point.pdu} do not agree: pdu {point.pdu} is ref {wanted}"),
        (quantity is None, f"quantity {point.quantity} is not one of {', '.join(QUANTITIES)}"),
        (quantity is not None and quantity.unit != point.unit, f"unit {point.unit!r} is not the quantity's"),
        ((point.type is Kind.BIT) != (point.bit is not None), 'type "bit" and the key bit go together'),
        ((point.type is Kind.DISCRETE) != (point.function in {1, 2}), 'functions 1 and 2 read type "discrete" only'),
        (quantity is not None and quantity.binary != is_binary(point), "a yes or no needs a bit, a number registers"),
        (not is_binary(point) and point.range is None, "a number needs a range of believable values"),
        (low >= high, f"range {low} to {high} is empty"),
        (point.scale == 0 or not isfinite(point.scale), f"scale {point.scale} loses the value"),
        (point.pdu + point.words > _ADDRESSES, "it reaches past the last register"),
    ]
    for fault in point.faults:
        other = profile.find(fault)
        rules.append((other is None or not is_binary(other), f"fault {fault} is not a yes or no of this profile"))
    return [text for broken, text in rules if broken]


def is_binary(point: Point) -> bool:
    """Whether its value is yes or no."""
    return point.type in {Kind.BIT, Kind.DISCRETE}


def decode(point: Point, words: tuple[int, ...]) -> tuple[float | bool | None, str]:
    """Turn what was on the wire into a value.

    Args:
        point: which point.
        words: its registers (0 to 65535) or its one bit, as many as `point.words`.

    Returns:
        The value in the point's unit and an empty reason, or None and why it cannot be believed.
    """
    if point.type is Kind.DISCRETE:
        return bool(words[0]), ""
    if point.bit is not None:
        return bool(words[0] >> point.bit & 1), ""
    raw = _raw(point, words)
    if raw in point.invalid:
        return None, f"the device says that it has no value ({raw})"
    value = round(raw * point.scale, 9)
    low, high = point.range or (-float("inf"), float("inf"))
    if not (isfinite(value) and low <= value <= high):
        return None, f"{value:g}{point.unit} is outside {low:g} to {high:g}{point.unit}"
    return value, ""


def _raw(point: Point, words: tuple[int, ...]) -> float:
    ordered = words if point.order is WordOrder.BIG else words[::-1]
    data = b"".join(word.to_bytes(2, "big") for word in ordered)
    return float(struct.unpack(_FORMAT[point.type], data)[0])


def encode(point: Point, value: float | bool) -> tuple[int, ...]:
    """The registers that hold a value: what a simulated device answers with. A bit comes shifted to its place."""
    if point.type is Kind.DISCRETE:
        return (int(bool(value)),)
    if point.bit is not None:
        return (int(bool(value)) << point.bit,)
    raw = value / point.scale
    data = struct.pack(_FORMAT[point.type], raw if point.type is Kind.FLOAT32 else round(raw))
    words = tuple(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    return words if point.order is WordOrder.BIG else words[::-1]
