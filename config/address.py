"""Addresses as people write them, and their parts."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, urlsplit

from config.errors import FieldError
from config.guess import did_you_mean

LinkKind = Literal["tcp", "rtu+tcp", "serial"]
#: Schemes that the contract names and that this version cannot speak yet.
LINKS_NOT_AVAILABLE = ("nut",)
_PARITIES: tuple[Literal["N", "E", "O"], ...] = ("N", "E", "O")
_LISTEN = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:/\[\]]+)):(?P<port>\d{1,5})", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9_.])?|[0-9A-Fa-f:.]+", re.ASCII)
_HIGHEST_PORT = 65535
_MODBUS_PORT = 502
_MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a daemon listens; port 0 lets the system choose."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class VaultAddress:
    """Where the vault listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class BusAddress:
    """Where the MQTT broker listens."""

    host: str
    port: int
    tls: bool


@dataclass(frozen=True, slots=True)
class LinkAddress:
    """A wire or socket: `host` and `port` for the two over TCP, `device` and what follows for a serial line."""

    kind: LinkKind
    host: str = ""
    port: int = 0
    device: Path | None = None
    baud: int = 9600
    parity: Literal["N", "E", "O"] = "N"
    stopbits: Literal[1, 2] = 1
    bytesize: Literal[7, 8] = 8


def is_loopback(host: str) -> bool:
    """Tell whether a host can only be this machine. A name other than `localhost` may be any machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_listen(text: str) -> Listen:
    """Read `127.0.0.1:9750`, `[::1]:9750`, `localhost:0`.

    Raises:
        FieldError: it is not an address to listen on.
    """
    hint = 'write HOST:PORT like "127.0.0.1:9750", or "0.0.0.0:7700" for every interface'
    match = _LISTEN.fullmatch(text)
    host = (match["six"] or match["host"]) if match else ""
    if match is None or not _HOST.fullmatch(host) or int(match["port"]) > _HIGHEST_PORT:
        raise FieldError(f"{text!r} is not an address to listen on", hint)
    return Listen(host, int(match["port"]))


def parse_vault(text: str) -> VaultAddress:
    """Read `bongsu://host:7700`.

    Raises:
        FieldError: it is not a vault's address.
    """
    hint = 'write "bongsu://HOST:PORT", for example "bongsu://backup.example:7700"'
    url = _split(text, hint)
    if url.scheme != "bongsu" or not url.hostname or not url.port or url.path.strip("/") or url.query:
        raise FieldError(f"{text!r} is not a vault's address", hint)
    return VaultAddress(url.hostname, url.port)


def parse_bus(text: str) -> BusAddress:
    """Read `mqtt://host:1883` or `mqtts://host:8883`; without a port the usual one.

    Raises:
        FieldError: it is not a broker's address.
    """
    hint = 'write "mqtt://HOST:PORT" or "mqtts://HOST:PORT"'
    url = _split(text, hint)
    if url.scheme not in _MQTT_PORTS or not url.hostname or url.path.strip("/") or url.query:
        raise FieldError(f"{text!r} is not a broker's address", hint)
    port = url.port if url.port is not None else _MQTT_PORTS[url.scheme]
    return BusAddress(url.hostname, port, url.scheme == "mqtts")


def check_web(text: str) -> None:
    """Check an address that is posted to: `https://host/path`.

    Raises:
        FieldError: it is not one.
    """
    hint = 'write "https://HOST/PATH"'
    url = _split(text, hint)
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise FieldError(f"{text!r} is not a web address", hint)


def parse_link(text: str) -> LinkAddress:
    """Read `serial:///dev/ttyUSB0?baud=9600&parity=N`, `tcp://HOST:502`, `rtu+tcp://HOST:PORT`.

    Raises:
        FieldError: it is not a link's address, or of a kind that is not available yet.
    """
    hint = 'write "serial:///dev/ttyUSB0?baud=9600&parity=N", "tcp://HOST:502" or "rtu+tcp://HOST:PORT"'
    url = _split(text, hint)
    if url.scheme in LINKS_NOT_AVAILABLE:
        raise FieldError(f"link {url.scheme}:// is not available yet", "take this link and its devices out for now")
    if url.scheme == "serial":
        return _serial(url)
    port = _MODBUS_PORT if url.scheme == "tcp" and url.port is None else url.port
    if url.scheme not in {"tcp", "rtu+tcp"} or not url.hostname or not port or url.path.strip("/") or url.query:
        raise FieldError(f"{text!r} is not a link's address", hint)
    return LinkAddress("tcp" if url.scheme == "tcp" else "rtu+tcp", url.hostname, port)


def _split(text: str, hint: str) -> SplitResult:
    try:
        url = urlsplit(text)
        inside = url.username is not None or url.password is not None
        wrong = url.port is not None and url.port > _HIGHEST_PORT
    except ValueError:  # a port that is no number, a bracket that is not closed: never show what may hold a secret
        raise FieldError("it is not an address", hint) from None
    if inside:
        raise FieldError("a user or password does not belong in an address", "use the keys for it, with a file")
    if wrong or any(sign.isspace() or not sign.isprintable() for sign in text) or not _fit(url.hostname):
        raise FieldError(f"{text!r} is not an address", hint)
    return url


def _fit(host: str | None) -> bool:
    return not host or _HOST.fullmatch(host) is not None


def _serial(url: SplitResult) -> LinkAddress:
    if url.netloc or not url.path.startswith("/") or url.path == "/":
        raise FieldError("a serial link names a device", 'write three strokes: "serial:///dev/ttyUSB0"')
    known = {"baud": "9600", "parity": "N", "stopbits": "1", "bytesize": "8"}
    for name, value in parse_qsl(url.query, keep_blank_values=True):
        if name not in known:
            raise FieldError(f"unknown setting {name!r} of a serial link", did_you_mean(name, known))
        known[name] = value
    return LinkAddress(
        "serial",
        device=Path(url.path),
        baud=_baud(known["baud"]),
        parity=_parity(known["parity"]),
        stopbits=_stopbits(known["stopbits"]),
        bytesize=_bytesize(known["bytesize"]),
    )


def _baud(text: str) -> int:
    if not re.fullmatch(r"[0-9]{2,7}", text) or not 50 <= int(text) <= 4_000_000:  # noqa: PLR2004 - what Linux has
        raise FieldError(f"{text!r} is not a speed in baud", "9600 is the usual one")
    return int(text)


def _parity(text: str) -> Literal["N", "E", "O"]:
    for parity in _PARITIES:
        if text.upper() == parity:
            return parity
    raise FieldError(f"{text!r} is not a parity", "write N, E or O")


def _stopbits(text: str) -> Literal[1, 2]:
    if text not in {"1", "2"}:
        raise FieldError(f"{text!r} is not a number of stop bits", "write 1 or 2")
    return 1 if text == "1" else 2


def _bytesize(text: str) -> Literal[7, 8]:
    if text not in {"7", "8"}:
        raise FieldError(f"{text!r} is not a number of data bits", "write 8, or 7 for the rare device")
    return 8 if text == "8" else 7
