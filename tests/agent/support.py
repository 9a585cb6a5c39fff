"""Helpers of this folder's tests."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Self

import aiomqtt

LIMIT = 60.0


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run one scenario under a generous limit."""

    async def limited() -> None:
        async with asyncio.timeout(2 * LIMIT):
            await scenario

    asyncio.run(limited())


async def eventually(ask: Callable[[], object], what: str) -> None:
    """Wait until the answer is true."""
    end = time.monotonic() + LIMIT
    while not ask():
        assert time.monotonic() < end, f"still not so: {what}"
        await asyncio.sleep(0.02)


class Heard:
    """What a listener of its own hears on the bus: the newest payload of each topic, and all of them."""

    def __init__(self, port: int, topics: str = "bongsu/#", **login: Any) -> None:
        """Subscribe once `run` is started."""
        self.newest: dict[str, bytes] = {}
        self.all: list[tuple[str, bytes, bool]] = []
        self._port, self._topics, self._login = port, topics, login
        self._task: asyncio.Task[None] | None = None
        self._subscribed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._listen())
        async with asyncio.timeout(LIMIT):
            await self._subscribed.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            try:
                async with aiomqtt.Client("127.0.0.1", self._port, **self._login) as client:
                    await client.subscribe(self._topics, qos=1)
                    self._subscribed.set()
                    async for message in client.messages:
                        assert isinstance(message.payload, bytes)
                        self.newest[str(message.topic)] = message.payload
                        self.all.append((str(message.topic), message.payload, message.retain))
            except aiomqtt.MqttError:
                await asyncio.sleep(0.1)
