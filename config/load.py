"""From the file to a `Config`, or to every problem of the file at once."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from config import names
from config.check import PARTS, find_notices, find_problems, missing_sections
from config.errors import ConfigError, Problem
from config.facts import Facts
from config.lines import Lines
from config.model import Config
from config.prune import prune
from config.shape import check_shape

Part = Literal["monitor", "replicator", "vault", "reader"]
_LIMIT = 4 * 1024 * 1024
_FILE = "the file"


@dataclass(frozen=True)
class Loaded:
    """A file that was read.

    Attributes:
        config: what is right in it.
        problems: what forbids running from it, in the file's order.
        notices: what does not, and that somebody should know.
    """

    config: Config
    problems: list[Problem]
    notices: list[Problem]


def load(path: Path) -> Config:
    """Read the whole file for all its parts.

    Raises:
        ConfigError: every problem of the file.
    """
    return _sure(examine(path))


def load_for(path: Path, part: Part) -> Config:
    """Read the file for one part, which must find its sections there.

    What is wrong in a section that the part does not run from is left out: `check` tells it, and a slip in an
    alarm does not keep the documents in the building. A section that nobody knows stops every part.

    Raises:
        ConfigError: every problem that concerns this part.
    """
    return _sure(examine(path, part))


def examine(path: Path, part: Part | None = None) -> Loaded:
    """Read the file and find everything in it.

    Raises:
        ConfigError: it cannot be read or is no TOML, so that there is nothing to examine.
    """
    text = _read(path)
    raw = _parse(text)
    return _examine(raw, Lines(text, raw), path.absolute().parent, part)


def notices(path: Path) -> list[Problem]:
    """Return what does not forbid running from the file, and that somebody should know.

    Raises:
        ConfigError: it cannot be read or is no TOML.
    """
    return examine(path).notices


def _sure(loaded: Loaded) -> Config:
    if loaded.problems:
        raise ConfigError(loaded.problems)
    return loaded.config


def _examine(raw: dict[str, Any], lines: Lines, folder: Path, part: Part | None) -> Loaded:
    raw = _with_site(raw, part)
    config, problems, places = check_shape(raw, folder)
    left: Mapping[str, Any] = raw
    if config is None:
        config, left = prune(raw, folder, places)
    facts = Facts(config, raw, left, part)
    problems = problems + find_problems(facts) + (missing_sections(config, raw, part) if part else [])
    return Loaded(config, _sorted(problems, lines, part), _sorted(find_notices(facts), lines, part))


def _with_site(raw: dict[str, Any], part: Part | None) -> dict[str, Any]:
    """Reading a vault needs nothing but the way to it: then the site is nobody, and its state is with the vault."""
    vault = raw.get("vault")
    bare = raw.keys() <= {"vault"} and names.is_table(vault)
    if "site" in raw or not (bare or part == "reader"):
        return raw
    root = vault.get("root") if names.is_table(vault) else None
    return {"site": {"id": "vault", "name": "vault", "state": root or "/var/lib/bongsu"}, **raw}


def _sorted(problems: list[Problem], lines: Lines, part: Part | None) -> list[Problem]:
    ours = [problem for problem in problems if _concerns(problem, part)]
    return sorted((problem.at(lines.of(problem.key)) for problem in ours), key=lambda problem: problem.line)


def _concerns(problem: Problem, part: Part | None) -> bool:
    others = frozenset[str]().union(*PARTS.values(), {"witness"})
    return part is None or problem.section in PARTS[part] or problem.section not in others


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT + 1)
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError([Problem(_FILE, f"read {path}: {cause.lower()}", "name it with --config FILE")]) from None
    if len(content) > _LIMIT:
        raise ConfigError([Problem(_FILE, f"read {path}: more than 4 MiB", "the path names some other file")])
    try:
        return content.decode("utf-8-sig")  # editors on Windows put a mark before the first letter
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = Problem(_FILE, f"byte 0x{content[error.start]:02x} is no utf-8", "save it as UTF-8, not as CP949")
        raise ConfigError([problem.at(line)]) from None


def _parse(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError([Problem(_FILE, "brackets are nested too deeply", "take them apart")]) from None
    except ValueError as error:  # also a number with thousands of digits
        match = re.search(r"\s*\(at (?:line (\d+), column \d+|end of document)\)", str(error))
        cause = str(error)[: match.start()] if match else str(error)
        line = _line(match, text)
        problem = Problem(_FILE, f"it is no TOML: {cause[:1].lower()}{cause[1:]}", _syntax_hint(text, line))
        raise ConfigError([problem.at(line)]) from None


def _syntax_hint(text: str, line: int) -> str:
    lines = text.split("\n")
    if 0 < line <= len(lines) and re.search(r";\s*[\w-]+\s*=", lines[line - 1]):
        return "each key stands on a line of its own, without ;"
    return "texts stand between double quotes, lists between [ ], and each section's name stands once"


def _line(match: re.Match[str] | None, text: str) -> int:
    return int(match[1]) if match and match[1] else text.count("\n") + 1 if match else 0
