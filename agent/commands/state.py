"""`status`, `alarms`, `ack`, `shelve`, `send-test`: what the daemons of this host answer."""

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from agent import requests
from agent.client import ask, socket_path
from agent.commands.common import ask_daemon, say, say_json, site_of
from agent.console.page import clock, value_text
from agent.errors import AgentError, hint_of, reason_of
from agent.evacuation import size_text
from agent.shower import sources_of
from agent.table import table
from agent.words import word
from config.model import Config

_TEST_SECONDS = 60.0
_FINISHED = ("accepted", "failed", "cancelled")


def status(path: Path, as_json: bool) -> int:
    """Show how everything is; 3 when something is wrong."""
    config = site_of(path)
    found = asyncio.run(gather(config))
    if as_json:
        say_json(found)
    else:
        say(_status_text(found, config))
    return 0 if found["well"] else 3


async def gather(config: Config) -> dict[str, Any]:
    """Ask every daemon that the file configures, and lay the answers together."""
    answers = {part: await _answer(config, part) for part in expected_parts(config)}
    monitor, replicator, vault = (answers.get(part, {}) for part in ("monitor", "replicator", "vault"))
    found: dict[str, Any] = {
        "site": {"id": config.site.id, "name": config.site.name},
        "readings": monitor.get("readings", []),
        "alarms": monitor.get("alarms", []),
        "replication": replicator.get("replication") or monitor.get("replication"),
        "vault": vault.get("vault"),
        "parts": parts_of(answers),
    }
    found["wrong"] = wrongs(found)
    found["well"] = not found["wrong"]
    return found


def parts_of(answers: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Lay the parts of all daemons together; what a daemon says of itself counts more than what others say. Pure."""
    found: dict[str, dict[str, Any]] = {}
    for daemon, answer in answers.items():
        for each in answer["parts"]:
            shared = daemon == "monitor" or each["part"] == daemon
            name = each["part"] if shared else f"{daemon}:{each['part']}"
            found[name] = {**each, "part": name}
    return list(found.values())


def expected_parts(config: Config) -> list[str]:
    """Return the daemons that this file configures."""
    return [
        part
        for part, there in (
            ("monitor", config.monitor is not None or bool(config.device)),
            ("replicator", config.replicator is not None),
            ("vault", config.vault is not None),
        )
        if there
    ]


def wrongs(found: Mapping[str, Any]) -> list[str]:
    """Return a line for each thing that is not as it should be. Pure."""
    lines = [f"{each['part']}: {each['reason'] or 'down'}" for each in found["parts"] if not each["up"]]
    lines += [f"{each['id']}: {each['severity']}, {each['state']}" for each in found["alarms"] if each["active"]]
    lines += [
        f"{each['device']}.{each['point']}: {each['quality']}"
        for each in found["readings"]
        if each["quality"] != "good"
    ]
    for name, source in sources_of(found["replication"]):
        if source.get("blind_since"):
            lines.append(f"{name}: blind since {source['blind_since']}")
    vault = (found["replication"] or {}).get("vault")
    if isinstance(vault, Mapping) and not vault.get("connected"):
        lines.append(f"vault: not connected: {vault.get('reason') or 'unknown'}")
    return lines


async def _answer(config: Config, part: str) -> dict[str, Any]:
    try:
        return await ask(socket_path(config.site.state, part), requests.Status())
    except AgentError as error:
        hint = f" ({hint_of(error)})" if hint_of(error) else ""
        return {"parts": [{"part": part, "up": False, "reason": f"{reason_of(error)}{hint}"}]}


def _status_text(found: Mapping[str, Any], config: Config) -> str:
    zone = config.site.zone
    words = {key: word(key) for key in ("yes", "no")}
    blocks = [f"{config.site.name} ({config.site.id}): {word('all_well' if found['well'] else 'not_well')}"]
    readings = [
        [each["device"], each["point"], _with_unit(each, words), word(each["quality"]), clock(each["at"], zone)]
        for each in found["readings"]
    ]
    if readings:
        blocks.append(table([word(key) for key in ("device", "point", "value", "quality", "time")], readings))
    blocks.append(alarms_text(found["alarms"], config))
    sources = [
        [
            name,
            each.get("pending", 0),
            size_text(int(each.get("pending_bytes") or 0)),
            "—" if each.get("lag_seconds") is None else f"{each['lag_seconds']:.1f} s",
            word("blind") if each.get("blind_since") else word("ok"),
        ]
        for name, each in sources_of(found["replication"])
    ]
    if sources:
        blocks.append(table([word(key) for key in ("source", "pending", "bytes", "lag", "watch")], sources))
    parts = [[each["part"], word("up" if each["up"] else "down"), each["reason"]] for each in found["parts"]]
    blocks.append(table([word(key) for key in ("part", "state", "reason")], parts))
    return "\n\n".join(blocks)


def _with_unit(reading: Mapping[str, Any], words: Mapping[str, str]) -> str:
    text = value_text(reading["value"], words)
    return f"{text} {reading['unit']}" if reading["unit"] and reading["value"] is not None else text


def alarms(path: Path, every: bool, as_json: bool) -> int:
    """List alarms, newest first."""
    config = site_of(path)
    found = ask_daemon(config, "monitor", requests.Alarms(all=every))["alarms"]
    if as_json:
        say_json(found)
    else:
        say(alarms_text(found, config))
    return 0


def alarms_text(found: list[dict[str, Any]], config: Config) -> str:
    """Lay alarms out as a table."""
    if not found:
        return word("no_alarms")
    head = [word(key) for key in ("time", "alarm", "severity", "state", "text", "value")]
    rows = [
        [
            clock(each.get("raised_at") or each["changed_at"], config.site.zone),
            each["id"],
            word(each["severity"]),
            word(each["state"]),
            each["text"],
            f"{each['value']} ({each['limit']})" if each["limit"] else each["value"],
        ]
        for each in found
    ]
    return table(head, rows)


def acknowledge(path: Path, alarm: str, by: str, note: str) -> int:
    """Acknowledge an alarm."""
    ask_daemon(site_of(path), "monitor", requests.Acknowledge(alarm=alarm, by=by, note=note))
    say(word("acked", alarm=alarm, by=by))
    return 0


def shelve(path: Path, alarm: str, time_: timedelta, by: str, reason: str) -> int:
    """Shelve an alarm for a time."""
    request = requests.Shelve(alarm=alarm, seconds=time_.total_seconds(), by=by, reason=reason)
    ask_daemon(site_of(path), "monitor", request)
    say(word("shelved_until", alarm=alarm, time=time_, by=by))
    return 0


def send_test(path: Path, contact: str | None, channel: str | None) -> int:
    """Send a test message and show what came of it; 1 unless every one was accepted."""
    config = site_of(path)
    found = asyncio.run(_send_test(socket_path(config.site.state, "monitor"), contact, channel))
    rows = []
    for each in found["notifications"]:
        tries = [attempt for attempt in found["attempts"] if attempt["notification"] == each["id"]]
        last = max(tries, key=lambda attempt: attempt["number"], default=None)
        progress = "pending_word" if each["progress"] == "pending" else each["progress"]
        text = (last["text"] if last else "") or each["reason"]
        rows.append([each["contact"], (last or each)["channel"], word(progress), text])
    say(table([word(key) for key in ("contact", "channel", "result", "text")], rows))
    return 0 if rows and all(each["progress"] == "accepted" for each in found["notifications"]) else 1


async def _send_test(socket: Path, contact: str | None, channel: str | None) -> dict[str, Any]:
    made = (await ask(socket, requests.SendTest(contact=contact, channel=channel)))["notifications"]
    end = time.monotonic() + _TEST_SECONDS
    while True:
        found = await ask(socket, requests.Attempts(notifications=made))
        done = all(each["progress"] in _FINISHED for each in found["notifications"])
        if done or time.monotonic() > end:
            return found
        await asyncio.sleep(0.2)
