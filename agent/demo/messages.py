"""The messages that arrived: at the sink by HTTP, and in the file."""

import contextlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.demo.report import AlarmReport
from agent.demo.sink import Arrived


def seconds_after(message: Arrived) -> float:
    """Return how long after its event a message arrived, in seconds."""
    return message.at - datetime.fromisoformat(str(message.body["at"])).timestamp()


def written(path: Path) -> list[dict[str, Any]]:
    """Return the messages of the file channel; what is no whole line is left out."""
    found = []
    with contextlib.suppress(OSError):
        for line in path.read_bytes().splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
    return found


def is_raised(body: dict[str, Any], alarm: str) -> bool:
    """Whether this message tells that the alarm was raised."""
    return body.get("event") == "raised" and body.get("alarm") == alarm


def report(alarm: str, arrived: list[Arrived], path: Path) -> AlarmReport:
    """Say what became of one alarm's first message."""
    in_file = any(is_raised(body, alarm) for body in written(path))
    for message in arrived:
        if is_raised(message.body, alarm):
            text = str(message.body.get("text", ""))
            return AlarmReport(alarm=alarm, message_seconds=seconds_after(message), written=in_file, text=text)
    return AlarmReport(alarm=alarm, written=in_file)
