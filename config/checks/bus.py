"""The broker."""

from collections.abc import Iterator

from config.address import is_loopback, parse_bus
from config.errors import Problem, SecretError
from config.facts import Facts, readable
from config.model import Bus
from config.secret import read_secret, world_readable


def problems(facts: Facts) -> Iterator[Problem]:
    """Find a broker that anybody could speak to."""
    bus = facts.config.bus
    if bus is None:
        return
    address = parse_bus(bus.url)
    known = bus.username is not None or bus.cert is not None
    if not known and not is_loopback(address.host):
        text = f"anonymous MQTT to {address.host} is refused: anybody there could read and write"
        yield Problem("[bus] url", text, "write username and password_file, or a loopback address")
    if bus.embedded and address.tls:
        text = "the built-in broker speaks no TLS"
        yield Problem("[bus] embedded", text, "write embedded = false and run Mosquitto, or use mqtt:// on loopback")
    yield from _pairs(bus)
    if facts.part is None:  # for `check` only: the bus is a view, and a monitor watches without it
        yield from _files(bus)


def notices(facts: Facts) -> Iterator[Problem]:
    """Find passwords that others could read."""
    bus = facts.config.bus
    if bus is None:
        return
    address = parse_bus(bus.url)
    if bus.username and not address.tls and not is_loopback(address.host):
        yield Problem("[bus] url", "the password goes over the network in clear", "write mqtts://")
    for key, path in (("password_file", bus.password_file), ("key", bus.key)):
        if path and world_readable(path):
            yield Problem(f"[bus] {key}", "every user of this host can read it", f"chmod o-r {path}")


def _pairs(bus: Bus) -> Iterator[Problem]:
    pairs = (("username", "password_file"), ("password_file", "username"), ("cert", "key"), ("key", "cert"))
    for one, other in pairs:
        if getattr(bus, one) is not None and getattr(bus, other) is None:
            yield Problem(f"[bus] {other}", f"it is missing beside {one}", f"write {other} = ..., or take {one} out")
    given = [key for key in ("ca", "cert", "key") if getattr(bus, key) is not None]
    if given and not parse_bus(bus.url).tls:
        yield Problem("[bus] url", f"{given[0]} has no effect on mqtt://", "write mqtts://")


def _files(bus: Bus) -> Iterator[Problem]:
    for key in ("ca", "cert", "key"):
        yield from readable(f"[bus] {key}", getattr(bus, key))
    if bus.password_file:
        try:
            read_secret(bus.password_file)
        except SecretError as error:
            yield Problem("[bus] password_file", str(error), error.hint)
