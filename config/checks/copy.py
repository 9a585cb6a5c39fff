"""Sources, replicator and vault."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from config import names
from config.address import is_loopback, parse_listen, parse_vault
from config.errors import Problem
from config.facts import Facts, readable
from config.model import Replicator, Vault
from config.secret import world_readable

_TLS = ("ca", "cert", "key")


def problems(facts: Facts) -> Iterator[Problem]:
    """Find copies that would copy themselves, and roads that others could read."""
    yield from _sources(facts)
    replicator, vault = facts.config.replicator, facts.config.vault
    if replicator:
        yield from _tls(facts, "replicator", replicator, parse_vault(replicator.vault).host)
    if vault:
        yield from _tls(facts, "vault", vault, parse_listen(vault.listen).host if vault.listen else "localhost")


def notices(facts: Facts) -> Iterator[Problem]:
    """Find what is not so yet, and keys that others can read."""
    for name, section in (("replicator", facts.config.replicator), ("vault", facts.config.vault)):
        if section and section.key and world_readable(section.key):
            text = "every user of this host can read it"
            yield Problem(names.section(name, "key"), text, f"chmod o-r {section.key}")
    if facts.config.vault and facts.config.vault.keep.model_fields_set:
        text = "it is not available yet: every version stays"
        yield Problem("[vault] keep", text, "watch the free space of the vault")
    for index, source in enumerate(facts.config.source):
        if not source.path.is_dir():
            text = f"{source.path} is not there"
            yield Problem(facts.key("source", index, "path"), text, "mount or make it; until then this is an alarm")
    evacuating = [index for index, alarm in enumerate(facts.config.alarm) if alarm.evacuate]
    if evacuating and not facts.raw.get("replicator"):
        key = facts.key("alarm", evacuating[0], "evacuate")
        yield Problem(key, "there is no [replicator] to evacuate with", "configure one, or take evacuate out")


def _sources(facts: Facts) -> Iterator[Problem]:
    sources = list(enumerate(facts.config.source))
    for (_, one), (index, other) in combinations(sources, 2):
        if _within(one.path, other.path) or _within(other.path, one.path):
            text = f'{other.path} overlaps source "{one.id}"'
            yield Problem(facts.key("source", index, "path"), text, "one tree belongs to one source")
    homes = [("the state folder", facts.config.site.state)] if names.is_table(facts.raw.get("site")) else []
    if facts.config.vault:
        homes.append(("the vault", facts.config.vault.root))
    for index, source in sources:
        for what, home in homes:
            key = facts.key("source", index, "path")
            if _within(home, source.path):
                text = f"{source.path} holds {what} {home}: each copy would cause the next"
                yield Problem(key, text, "move one of the two out of the other")
            elif what == "the vault" and _within(source.path, home):
                yield Problem(key, f"{source.path} lies in {what} {home}", "copy what people write, not the copy")


def _within(inner: Path, outer: Path) -> bool:
    try:
        return inner.resolve().is_relative_to(outer.resolve())
    except (OSError, RuntimeError):  # a link that leads to itself
        return inner.is_relative_to(outer)


def _tls(facts: Facts, name: str, section: Replicator | Vault, host: str) -> Iterator[Problem]:
    files = {key: getattr(section, key) for key in _TLS}
    given = [key for key in _TLS if files[key] is not None]
    for key in _TLS:
        if given and key not in given:
            text = f"it is missing beside {' and '.join(given)}"
            yield Problem(names.section(name, key), text, "TLS needs ca, cert and key; docs/certificates.md makes them")
        elif facts.runs(name):
            yield from readable(names.section(name, key), files[key])
    if not given and not is_loopback(host):
        text = f"plain TCP to {host} is refused: documents would cross the network in clear"
        address = names.section(name, "vault" if name == "replicator" else "listen")
        yield Problem(address, text, "write ca, cert and key; docs/certificates.md makes them")
