"""A process that sends a few alarms and is killed, with SIGKILL, at a chosen point. Run by `test_kill.py`."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from alerts.channels import build
from alerts.desk import Desk
from alerts.dispatcher import Dispatcher
from alerts.outbox import Outbox
from tests.alerts.support import eventually, hot, site

COUNT = 5


def _die_after(count: int) -> Any:
    left = [count]

    def one() -> None:
        left[0] -= 1
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return one


def _break(point: str, count: int) -> None:
    """Die at a point of the road: the methods are the real ones, with a kill before or after."""
    die = _die_after(count)
    claim, accepted = Outbox.claim, Outbox.accepted

    def claimed(self: Outbox, *arguments: Any) -> Any:
        found = claim(self, *arguments)
        if found:
            die()
        return found

    def recorded(self: Outbox, *arguments: Any) -> None:
        if point == "sent":
            die()
        accepted(self, *arguments)
        if point == "recorded":
            die()

    if point == "claimed":
        Outbox.claim = claimed  # type: ignore[method-assign, assignment]
    Outbox.accepted = recorded  # type: ignore[method-assign, assignment]


async def _work(folder: Path, url: str, point: str) -> None:
    config = site(folder, channel=[{"id": each, "kind": "webhook", "url": url} for each in ("one", "two")])
    desk = Desk.open(folder / "monitor.sqlite", config)
    for number in range(COUNT):
        desk.apply(hot(alarm=f"hot:{number}"))
        if point == "stored" and number == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    stop = asyncio.Event()
    channels = {each.id: build(each) for each in config.channel}
    task = asyncio.create_task(Dispatcher(desk, channels, config).run(stop))
    await eventually(lambda: all(view.finished_at for view in desk.notifications()), "the end of all")
    stop.set()
    await task
    for channel in channels.values():
        await channel.close()
    desk.close()


if __name__ == "__main__":
    _break(sys.argv[3], int(sys.argv[4]))
    asyncio.run(_work(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
