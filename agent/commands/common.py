"""What the commands share: the file, the answers of daemons, and saying things."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from agent import requests
from agent.client import ask, socket_path
from config.errors import ConfigError
from config.load import examine
from config.model import Config


def say(text: str) -> None:
    """Write a line to standard output, with whatever bytes a file's name holds."""
    sys.stdout.buffer.write(os.fsencode(text) if _fits(text) else text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.write(b"\n")
    sys.stdout.flush()


def tell(text: str) -> None:
    """Write a line to standard error."""
    sys.stderr.write(f"{text}\n".encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))
    sys.stderr.flush()


def say_json(value: object) -> None:
    """Write a value as indented JSON."""
    say(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def site_of(path: Path) -> Config:
    """Read the file for its site; a slip elsewhere does not keep people from asking how things are.

    Raises:
        ConfigError: the file, or its [site], cannot be used.
    """
    loaded = examine(path)
    ours = [problem for problem in loaded.problems if problem.section in {"", "site"}]
    if ours:
        raise ConfigError(ours)
    if loaded.problems:
        tell(f"bongsu: {path} has {len(loaded.problems)} problems: bongsu check --config {path}")
    return loaded.config


def ask_daemon(config: Config, part: str, request: requests.Request) -> dict[str, Any]:
    """Ask one daemon of this host.

    Raises:
        AgentError: it does not answer, or its answer is no.
    """
    return asyncio.run(ask(socket_path(config.site.state, part), request))


def _fits(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True
