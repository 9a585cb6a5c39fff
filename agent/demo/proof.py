"""The proof: what the vault gives back without the server room is compared with what was there."""

import asyncio
import time
from pathlib import Path

from agent.demo.children import command
from agent.demo.compare import differences, measure
from agent.demo.measures import Measures
from agent.demo.report import Report

_MOST_TOLD = 20
_SETTLE_LIMIT = 120.0


async def settle(measures: Measures) -> None:
    """Wait until the replicator says that nothing is still to be sent, within a generous limit."""
    end = time.monotonic() + _SETTLE_LIMIT
    while time.monotonic() < end:
        if await measures.value("replicator", "bongsu_replication_pending_files", source="documents") == 0:
            return
        await asyncio.sleep(0.2)


async def prove(report: Report, folder: Path, vault_file: Path, restored: Path) -> None:
    """Restore from the vault's files alone, compare, and check every object; write it all into the report."""
    code, said = await command("restore", "--config", str(vault_file), "--to", str(restored))
    if code:
        report.faults.append(f"restore: exit code {code}: {said.strip()}")
    report.differences = await asyncio.to_thread(differences, folder, restored)
    report.restored_equal = not code and not report.differences
    report.faults.extend(f"restored file differs: {line}" for line in report.differences[:_MOST_TOLD])
    del report.differences[_MOST_TOLD:]
    report.files, report.bytes = await asyncio.to_thread(measure, folder)
    code, said = await command("verify", "--config", str(vault_file))
    report.verified = code == 0
    if code:
        report.faults.append(f"verify: exit code {code}: {said.strip()}")


def judge(report: Report) -> None:
    """Name each alarm that was not delivered everywhere, and decide."""
    for alarm in report.alarms:
        if alarm.message_seconds is None:
            report.faults.append(f"alarm {alarm.alarm}: its message did not arrive at the sink")
        if not alarm.written:
            report.faults.append(f"alarm {alarm.alarm}: its message was not written to the file")
    report.passed = not report.faults and bool(report.restored_equal) and bool(report.verified)
