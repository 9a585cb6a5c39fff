"""Addresses, and what is none."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.address import (
    BusAddress,
    LinkAddress,
    Listen,
    VaultAddress,
    check_web,
    is_loopback,
    parse_bus,
    parse_link,
    parse_listen,
    parse_vault,
)
from config.errors import FieldError

PARSERS: list[Callable[[str], object]] = [parse_listen, parse_vault, parse_bus, parse_link, check_web]


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("127.0.0.1:9750", Listen("127.0.0.1", 9750)),
        ("[::1]:0", Listen("::1", 0)),
        ("localhost:65535", Listen("localhost", 65535)),
        ("0.0.0.0:7700", Listen("0.0.0.0", 7700)),
    ],
)
def test_listen(text: str, want: Listen) -> None:
    """Host and port of an address to listen on, port 0 too."""
    assert parse_listen(text) == want


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("tcp://10.0.0.1", LinkAddress("tcp", "10.0.0.1", 502)),
        ("tcp://gw:1502", LinkAddress("tcp", "gw", 1502)),
        ("rtu+tcp://[fe80::1]:4001", LinkAddress("rtu+tcp", "fe80::1", 4001)),
        ("serial:///dev/ttyUSB0", LinkAddress("serial", device=Path("/dev/ttyUSB0"))),
        (
            "serial:///dev/serial/by-id/x?baud=19200&parity=e&stopbits=2&bytesize=7",
            LinkAddress("serial", "", 0, Path("/dev/serial/by-id/x"), 19200, "E", 2, 7),
        ),
    ],
)
def test_link(text: str, want: LinkAddress) -> None:
    """A link's address with what is usual where nothing is said."""
    assert parse_link(text) == want


def test_vault_and_bus() -> None:
    """A vault has a port; a broker has the usual one."""
    assert parse_vault("bongsu://backup:7700") == VaultAddress("backup", 7700)
    assert parse_bus("mqtt://127.0.0.1") == BusAddress("127.0.0.1", 1883, tls=False)
    assert parse_bus("mqtts://h") == BusAddress("h", 8883, tls=True)
    assert parse_bus("mqtt://h:0") == BusAddress("h", 0, tls=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST", "localhost."])
def test_loopback(host: str) -> None:
    """These can only be this machine."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "localhost.example", "127.0.0.1.example", "", "1"])
def test_no_loopback(host: str) -> None:
    """These may be any machine."""
    assert not is_loopback(host)


@pytest.mark.parametrize("parse", PARSERS)
@given(text=st.text() | st.from_regex(r"(tcp|mqtt|bongsu|serial|http)://.*", fullmatch=True))
def test_any_text_is_an_address_or_refused(parse: Callable[[str], object], text: str) -> None:
    """No text raises anything but a FieldError, and that one has a hint."""
    hint = "none needed"
    try:
        parse(text)
    except FieldError as error:
        hint = error.hint
    assert hint


@pytest.mark.parametrize(
    ("parse", "scheme"), [(parse_vault, "bongsu"), (parse_bus, "mqtt"), (parse_link, "tcp"), (check_web, "https")]
)
@pytest.mark.parametrize(
    "text", ["{}://u:hunter2@h:1", "{}://hunter2@h:1", "{}://u:hunter2@h:99999", "{}://u:hunter2@[h:1"]
)
def test_password_in_an_address_is_not_shown(parse: Callable[[str], object], scheme: str, text: str) -> None:
    """A password that was put into an address is refused, and not repeated."""
    with pytest.raises(FieldError) as caught:
        parse(text.format(scheme))
    assert "hunter2" not in str(caught.value)
