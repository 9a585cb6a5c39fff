"""What all sections share on one host: ids, sockets and ports."""

import os
from collections import Counter
from collections.abc import Iterator

from config import names
from config.address import is_loopback, parse_listen
from config.errors import Problem
from config.facts import Facts

#: The longest of the control sockets' names, and what Linux takes (sun_path, 108 bytes with the closing zero).
_SOCKET = "replicator.sock"
_LONGEST = 107


def problems(facts: Facts) -> Iterator[Problem]:
    """Find what two of one name, or of one port, would fight about."""
    for section in names.LISTS:
        for id_, times in Counter(facts.ids(section)).items():
            if times > 1:
                text = f"{times} items of this section have this id"
                yield Problem(names.item(section, id_, "id"), text, "give each its own")
    length = len(os.fsencode(facts.config.site.state / _SOCKET))
    if length > _LONGEST:
        text = f"{_SOCKET} in it would have a path of {length} bytes, and a socket can have {_LONGEST}"
        yield Problem("[site] state", text, "take a shorter path")
    yield from _ports(facts)


def notices(facts: Facts) -> Iterator[Problem]:
    """Find pages without a login that other hosts can open."""
    for key, text in _listeners(facts):
        if key != "[vault] listen" and not is_loopback(parse_listen(text).host):
            yield Problem(key, "it has no login, and other hosts can open it", 'write "127.0.0.1:PORT", or a firewall')


def _listeners(facts: Facts) -> Iterator[tuple[str, str]]:
    config = facts.config
    sections = {"monitor": config.monitor, "replicator": config.replicator, "vault": config.vault}
    for name, section in sections.items():
        for key in ("console", "metrics", "listen"):
            if text := getattr(section, key, None):
                yield names.section(name, key), text


def _ports(facts: Facts) -> Iterator[Problem]:
    seen: dict[tuple[str, int], str] = {}
    for key, text in _listeners(facts):
        listen = parse_listen(text)
        place = (listen.host, listen.port)
        if listen.port and place in seen:
            yield Problem(key, f"{text} is taken by {seen[place]}", "give each its own port")
        seen.setdefault(place, key)
