"""Bytes that real devices and their manuals show, written down by hand: none of them comes from our own encoder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.errors import AskError, RefusedError
from sensors.link import Request
from sensors.modbus import RtuCodec, TcpCodec
from sensors.plan import plan
from sensors.profile import decode
from sensors.profiles import load_profile
from sensors.simulator.server import check_sum

TEMPERATURE = "01 04 02 01 31 79 74"
BOTH = "01 04 04 01 31 02 22 2a ce"
VOLTS = "01 04 04 43 66 33 34 1b 38"


@pytest.mark.parametrize(
    ("question", "answer", "name", "value"),
    [
        ("01 04 00 01 00 01 60 0a", TEMPERATURE, "xy-md02.temperature", 30.5),
        ("01 04 00 01 00 02 20 0b", BOTH, "xy-md02.humidity", 54.6),
        ("01 04 00 00 00 02 71 cb", VOLTS, "eastron-sdm120.voltage", 230.2),
    ],
)
def test_a_published_exchange_is_read(question: str, answer: str, name: str, value: float) -> None:
    """The question that the maker's manual prints is what we send, and its printed answer gives the printed value."""
    profile, _, point_name = name.partition(".")
    sent = bytes.fromhex(question)
    request = Request(1, 4, int.from_bytes(sent[2:4], "big"), int.from_bytes(sent[4:6], "big"))
    codec = RtuCodec()
    assert codec.frame(request) == sent
    words = codec.match(bytearray.fromhex(answer), request)
    point = load_profile(profile).find(point_name)
    assert words is not None
    assert point is not None
    found, reason = decode(point, words[point.pdu - request.pdu :][: point.words])
    assert found == pytest.approx(value, rel=1e-6)
    assert reason == ""


def test_frost_is_negative() -> None:
    """A temperature below zero comes as two's complement: 0xFF33 is -20.5 °C (the XY-MD02's data sheet)."""
    words = RtuCodec().match(bytearray.fromhex("01 04 02 ff 33 b8 d5"), Request(1, 4, 1, 1))
    point = load_profile("xy-md02").find("temperature")
    assert point is not None
    assert words == (0xFF33,)
    assert decode(point, words) == (-20.5, "")


def test_eight_inputs_are_read() -> None:
    """Waveshare's printed exchange for its eight inputs: the question, none closed, and two of them closed."""
    request = plan(load_profile("waveshare-di8"), 1)[0].request
    codec = RtuCodec()
    assert codec.frame(request) == bytes.fromhex("01 02 00 00 00 08 79 cc")
    assert codec.match(bytearray.fromhex("01 02 01 00 a1 88"), request) == (0,) * 8
    assert codec.match(bytearray.fromhex("01 02 01 05 61 8b"), request) == (1, 0, 1, 0, 0, 0, 0, 0)


def test_a_leak_over_modbus_tcp() -> None:
    """The leak detector's status, distance and unit over Modbus TCP: a leak at 12 m."""
    profile = load_profile("rle-ld2000")
    block = plan(profile, 1)[0]
    codec = TcpCodec()
    assert codec.frame(block.request) == bytes.fromhex("00 01 00 00 00 06 01 04 00 00 00 03")
    words = codec.match(bytearray.fromhex("00 01 00 00 00 09 01 04 06 00 01 00 0c 00 00"), block.request)
    assert words is not None
    values = {point.name: decode(point, block.words_of(point, words))[0] for point in block.points}
    assert values == {"leak": True, "cable_break": False, "contamination": False, "distance": 12.0, "in_feet": False}


def test_an_exception_is_refused() -> None:
    """An illegal address, as the specification prints it, is a refusal that names the code."""
    with pytest.raises(RefusedError, match="illegal address") as caught:
        RtuCodec().match(bytearray.fromhex("01 84 02 c2 c1"), Request(1, 4, 1, 1))
    assert caught.value.code == 2


@pytest.mark.parametrize(
    "wrong",
    [
        "02 04 02 01 31 3d 74",  # another unit
        "01 03 02 01 31 78 00",  # another function
        "01 04 04 01 31 02 22 2a ce",  # two registers
        "01 04 02 01 31 79 75",  # the sum is wrong
        "01 04 02 01 31",  # cut
        "01 04 00 01 00 01 60 0a",  # our own echo
    ],
)
def test_what_is_no_answer_is_not_taken(wrong: str) -> None:
    """Another unit, function or size, a wrong sum, a cut frame and an echo are never a value."""
    assert RtuCodec().match(bytearray.fromhex(wrong), Request(1, 4, 1, 1)) is None


@pytest.mark.parametrize(
    "wrong",
    [
        "00 01 00 00 00 07 01 04 04 01 31 02 22",  # two registers
        "00 01 00 00 00 05 01 03 02 01 31",  # another function
        "00 01 00 00 00 05 02 04 02 01 31",  # another unit
        "00 02 00 00 00 05 01 04 02 01 31",  # another number
        "00 01 00 00 00 05 01 04 02 01",  # cut
    ],
)
def test_what_is_no_answer_over_tcp_is_not_taken(wrong: str) -> None:
    """Over Modbus TCP another size, function, unit or number and a cut frame are never a value."""
    codec, request = TcpCodec(), Request(1, 4, 1, 1)
    codec.frame(request)
    assert codec.match(bytearray.fromhex(wrong), request) is None
    whole = bytearray.fromhex("00 01 00 00 00 05 01 04 02 01 31")
    assert codec.match(whole, request) == (0x0131,)


@given(st.binary(max_size=300), st.sampled_from([1, 2, 3, 4]), st.integers(1, 100))
def test_any_bytes_are_a_value_of_the_right_size_or_an_error_of_ours(data: bytes, function: int, count: int) -> None:
    """Whatever comes in, on either framing: nothing yet, as many values as were asked for, or an error of the tree."""
    request = Request(1, function, 0, count)
    frame = bytes([1, function]) + data
    for codec in (RtuCodec(), TcpCodec()):
        codec.frame(request)
        for received in (data, frame, frame + check_sum(frame)):
            try:
                values = codec.match(bytearray(received), request)
            except AskError:
                continue
            assert values is None or len(values) == count


def test_an_answer_behind_noise_is_found() -> None:
    """Noise and our own echo before an answer do no harm."""
    received = bytearray.fromhex("00 ff 01 01 04 00 01 00 01 60 0a 01 04 02 01 31 79 74")
    assert RtuCodec().match(received, Request(1, 4, 1, 1)) == (0x0131,)
    assert not received
