"""Cross references: what is right in itself and does not fit together."""

from collections.abc import Mapping
from typing import Any

from config.checks import bus, copy, host, notices, room
from config.errors import Problem
from config.facts import Facts
from config.model import Config

_CHECKS = (host, bus, room, notices, copy)
#: The sections that each part runs from. What is wrong in the others does not stop it.
PARTS: Mapping[str, frozenset[str]] = {
    "monitor": frozenset({"site", "bus", "monitor", "link", "device", "alarm", "contact", "channel", "route"}),
    "replicator": frozenset({"site", "replicator", "source"}),
    "vault": frozenset({"site", "vault"}),
    "reader": frozenset({"site", "vault", "replicator"}),
}


def find_problems(facts: Facts) -> list[Problem]:
    """Find everything that forbids running from this file."""
    found = [problem for check in _CHECKS for problem in check.problems(facts)]
    return list(dict.fromkeys(found))


def find_notices(facts: Facts) -> list[Problem]:
    """Find everything that does not forbid it, and that somebody should know."""
    found = [problem for check in _CHECKS for problem in check.notices(facts)]
    return list(dict.fromkeys(found))


def missing_sections(config: Config, raw: Mapping[str, Any], part: str) -> list[Problem]:
    """Find what this part cannot run without."""
    if part == "monitor" and not raw.get("monitor") and "monitor" not in raw and not raw.get("device"):
        return [Problem("[monitor]", "it is missing", "write [monitor], and the devices that it watches")]
    if part == "replicator":
        return _replicator(raw)
    if part == "vault" and config.vault and not config.vault.listen:
        return [Problem("[vault] listen", "it is missing", 'write listen = "0.0.0.0:7700"')]
    if part == "vault" and "vault" not in raw:
        return [Problem("[vault]", "it is missing", "write [vault] with listen and root")]
    if part == "reader" and "vault" not in raw and "replicator" not in raw:
        hint = "write [vault] root on the vault's host, or [replicator] vault in the server room"
        return [Problem("[vault]", "it is missing, and so is [replicator]", hint)]
    return []


def _replicator(raw: Mapping[str, Any]) -> list[Problem]:
    found = []
    if "replicator" not in raw:
        found.append(Problem("[replicator]", "it is missing", 'write [replicator] with vault = "bongsu://HOST:PORT"'))
    if not raw.get("source"):
        found.append(Problem("[[source]]", "it is missing", "write a [[source]] for each tree to carry out"))
    return found
