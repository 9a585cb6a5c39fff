"""Any file at all is either a configuration or a list of problems."""

import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config import load
from config.errors import ConfigError, Problem
from config.lines import Lines
from config.model import Config

SECTIONS = [*Config.model_fields, "unknown", "[", 'a"b']
KEYS = sorted(
    {key for section in ("Site", "Alarm") for key in ("id", "name", section)} | {"url", "link", "point", "is"}
)
KEYS += ["steps", "contacts", "channels", "after", "keep", "place", "root", "listen", "vault", "path", "kind", "state"]
KEYS += ["above", "every", "timeout", "points", "rises", "severity", "ca", "times", "unit", "timezone", "exclude"]
TEXTS = [
    "",
    "a",
    "rack1",
    "rack1.temperature",
    "10s",
    "0",
    "tcp://h:1",
    "bongsu://h:1",
    "serial:///dev/x?baud=1",
    "~",
    "\0",
]
TEXTS += [
    "127.0.0.1:0",
    "[::1]:1",
    "[",
    "mqtt://[",
    "http://u:p@h",
    "file",
    "webhook",
    "modem",
    "9" * 400 + "y",
    "99999999y",
]
scalars = st.one_of(
    st.sampled_from(TEXTS),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.integers(-(10**30), 10**30),
    st.sampled_from([10**400, -1, 0, 1]),
    st.floats(),
    st.booleans(),
    st.dates(),
    st.times(),
    st.datetimes(),
)
keys = st.sampled_from(KEYS) | st.text(max_size=3)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=6
)
files = st.dictionaries(
    st.sampled_from(SECTIONS),
    values
    | st.dictionaries(keys, values, max_size=6)
    | st.lists(st.dictionaries(keys, values, max_size=6), max_size=3),
    max_size=6,
)


def problems_of(path: Path) -> list[Problem]:
    """Load a file and return why it was refused; nothing if it was not."""
    try:
        load.load(path)
    except ConfigError as error:
        return error.problems
    return []


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(raw=files, part=st.sampled_from([None, "monitor", "replicator", "vault", "reader"]))
def test_any_tables_are_examined(raw: dict[str, Any], part: load.Part | None) -> None:
    """No table of any shape raises; what is not right is a problem with a key and a text."""
    found = load._examine(raw, Lines("", raw), Path("/nowhere"), part)
    assert found.config.site
    assert all(problem.key and problem.text for problem in found.problems + found.notices)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="replace")))
def test_any_bytes_are_read(tmp_path: Path, content: bytes) -> None:
    """No content of the file raises anything but a ConfigError."""
    path = tmp_path / "bongsu.toml"
    path.write_bytes(content)
    assert all(problem.text for problem in problems_of(path))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(entries=st.lists(st.tuples(st.sampled_from(SECTIONS[:14]), keys, st.sampled_from(TEXTS)), max_size=12))
def test_any_toml_is_loaded_or_refused(tmp_path: Path, entries: list[tuple[str, str, str]]) -> None:
    """Sections in any order with any keys load or are refused; a line that is told is in the file."""
    tables = [f"[[{section}]]\n{json.dumps(key)} = {json.dumps(text)}\n" for section, key, text in entries]
    path = tmp_path / "bongsu.toml"
    path.write_text("".join(tables), encoding="utf-8")
    assert all(0 <= problem.line <= 2 * len(entries) + 1 for problem in problems_of(path))
