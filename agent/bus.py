"""The bus: a view for whoever listens. aiomqtt only here.

Nothing waits for the broker: `put` only remembers, `run` publishes when it can. We subscribe to nothing, so whatever
others write on the bus does not reach us.

Each connection lives in a thread and an event loop of its own. aiomqtt connects in a further thread and names its
socket to the loop by number, later: a number that was closed and used again meanwhile belongs to another connection,
whose reader it would take away. In a loop where no other connection is there is none to be taken.
"""

import asyncio
import contextlib
import random
import ssl
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiomqtt
import structlog

from agent.apart import Apart
from agent.errors import BusError, reason_of
from agent.outbox import Outbox, Publication
from config.address import BusAddress
from config.errors import SecretError
from config.secret import Secret, read_secret

log = structlog.get_logger(__name__)

_QOS = 1
_KEEPALIVE = 10
_ANSWER_SECONDS = 5.0
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
# A connection over which nothing was published for this long is tried, so that a dead broker is noticed.
_IDLE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class BusLogin:
    """How to reach a broker: its address, who we are (a password or its file), and what it must show."""

    address: BusAddress
    username: str | None = None
    password: Secret | Path | None = None
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def secret(self) -> str | None:
        """Return the password.

        Raises:
            SecretError: its file cannot be used.
        """
        password = read_secret(self.password) if isinstance(self.password, Path) else self.password
        return password.reveal() if password is not None else None


#: Told at each change: up or not, and why not.
BusChanged = Callable[[bool, str], None]


class Bus:
    """Publishes to one broker, connects again whenever the connection breaks.

    `put` may be called from any thread; `on_change` and `ready` are called in the loop that `run` is awaited in.

    Args:
        login: where to.
        alive: topic and payloads that say whether we are there: online, offline (also the last will).
        on_change: told when the broker comes or goes.
        ready: waits until our own broker listens and returns its port; None where the broker is not ours.
    """

    def __init__(
        self,
        login: BusLogin,
        alive: tuple[str, bytes, bytes],
        on_change: BusChanged,
        ready: Callable[[], Awaitable[int]] | None = None,
    ) -> None:
        self._login = login
        self._ready = ready
        self._topic, self._online, self._offline = alive
        self._on_change = on_change
        self._outbox = Outbox()
        self._session: Apart[None] | None = None
        self._stopping = False
        self._up: bool | None = None
        self._reason = ""

    @property
    def dropped(self) -> int:
        """Publications that nobody took in time."""
        return self._outbox.dropped

    def put(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """Publish soon; returns at once, never raises. The newest payload of a topic wins."""
        self._outbox.put(Publication(topic, payload, retain))
        if (session := self._session) is not None:
            session.poke()

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until the event is set, then say that we go."""
        stopping = asyncio.create_task(self._stop_with(stop))
        try:
            await self._keep_connected(stop)
        finally:
            stopping.cancel()
            await asyncio.gather(stopping, return_exceptions=True)

    async def _stop_with(self, stop: asyncio.Event) -> None:
        self._stopping = False
        await stop.wait()
        self._stopping = True
        if (session := self._session) is not None:
            session.poke()

    async def _keep_connected(self, stop: asyncio.Event) -> None:
        pause = _FIRST_PAUSE
        while not stop.is_set():
            try:
                await self._connect()
            except (aiomqtt.MqttError, OSError, BusError, SecretError, TimeoutError) as error:
                if self._up:
                    pause = _FIRST_PAUSE
                self._tell(False, reason_of(error))
            else:
                self._tell(False, "stopped")
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause * random.uniform(0.5, 1.0))  # noqa: S311 - spread, no secret
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def check(self) -> None:
        """Connect once and leave again.

        Raises:
            BusError: the broker cannot be reached or refuses us.
            SecretError: the password's file cannot be used.
        """

        async def leave(_poked: asyncio.Event) -> None:
            async with _connected(self._login):
                pass

        try:
            await Apart(leave).run()
        except (aiomqtt.MqttError, OSError, TimeoutError) as error:
            address = self._login.address
            raise BusError(
                f"reach broker {address.host}:{address.port}: {reason_of(error)}",
                "is it running? are [bus] url, username and password_file right?",
            ) from error

    async def _address(self) -> BusAddress:
        if self._ready is None:
            return self._login.address
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return replace(self._login.address, port=await self._ready())
        except TimeoutError as error:
            raise BusError("reach embedded broker: it has not started") from error

    async def _connect(self) -> None:
        """Connect and publish until the stop, or raise when the connection ends."""
        login = replace(self._login, address=await self._address())
        home = asyncio.get_running_loop()

        def is_up() -> None:
            home.call_soon_threadsafe(self._tell, True, "")

        session = Apart(lambda poked: self._publish_over(login, poked, is_up))
        self._session = session
        try:
            await session.run()
        finally:
            self._session = None

    async def _publish_over(self, login: BusLogin, poked: asyncio.Event, is_up: Callable[[], None]) -> None:
        async with _connected(login, aiomqtt.Will(self._topic, self._offline, _QOS, True)) as client:
            self._outbox.put(Publication(self._topic, self._online, True))
            self._outbox.renew()
            await self._publish_waiting(client, poked)
            is_up()
            await self._publish_on(client, poked)
            await self._publish_waiting(client, poked, all_=True)
            await client.publish(self._topic, self._offline, _QOS, True, timeout=_ANSWER_SECONDS)

    async def _publish_on(self, client: aiomqtt.Client, poked: asyncio.Event) -> None:
        """Publish what comes until the stop; raises as soon as the connection ends."""
        ending = asyncio.create_task(_until_gone(client))
        try:
            while not self._stopping:
                poking = asyncio.create_task(poked.wait())
                waited: set[asyncio.Future[Any]] = {ending, poking}
                await asyncio.wait(waited, timeout=_IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                poking.cancel()
                if ending.done():
                    ending.result()
                if not self._outbox:
                    self._outbox.put(Publication(self._topic, self._online, True))
                await self._publish_waiting(client, poked)
        finally:
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)

    async def _publish_waiting(self, client: aiomqtt.Client, poked: asyncio.Event, *, all_: bool = False) -> None:
        """Publish what waits; a stop ends it, except where all must go."""
        poked.clear()
        while (all_ or not self._stopping) and (item := self._outbox.take()) is not None:
            try:
                await client.publish(item.topic, item.payload, _QOS, item.retain, timeout=_ANSWER_SECONDS)
            except BaseException:
                self._outbox.give_back(item)
                raise

    def _tell(self, up: bool, reason: str) -> None:
        if up == self._up and reason == self._reason:
            return
        if up:
            log.info("broker is there", broker=self._login.address.host, port=self._login.address.port)
        elif reason != "stopped":
            log.warning("broker is not there", reason=reason)
        self._up, self._reason = up, reason
        self._on_change(up, reason)


@asynccontextmanager
async def _connected(login: BusLogin, will: aiomqtt.Will | None = None) -> AsyncGenerator[aiomqtt.Client, None]:
    """Connect. The running loop must be this connection's own and do nothing else after it."""
    client = _client(login, will)
    try:
        async with client:
            yield client
    except BaseException as error:
        # The frames of a failed handshake hold its socket, which paho leaves to the collector.
        if error.__context__ is not None:
            traceback.clear_frames(error.__context__.__traceback__)
        raise
    finally:
        # A connect that was given up goes on in its thread, and would leave its socket to nobody.
        await asyncio.get_running_loop().shutdown_default_executor()
        # aiomqtt leaves a connection that was not answered in time open: its reader would stay in our loop, and its
        # will at the broker would call us offline some day. Closing twice does nothing.
        client._client._sock_close()  # noqa: SLF001


async def _until_gone(client: aiomqtt.Client) -> None:
    """Wait until the connection ends, which raises; we subscribe to nothing, so nothing comes."""
    async for _ in client.messages:
        pass


def _client(login: BusLogin, will: aiomqtt.Will | None = None) -> aiomqtt.Client:
    return aiomqtt.Client(
        login.address.host,
        login.address.port,
        username=login.username,
        password=login.secret(),
        will=will,
        keepalive=_KEEPALIVE,
        timeout=_ANSWER_SECONDS,
        tls_context=_tls(login) if login.address.tls else None,
        max_queued_incoming_messages=1,
    )


def _tls(login: BusLogin) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(login.ca) if login.ca else None)
        if login.cert is not None:
            context.load_cert_chain(login.cert, login.key)
    except (OSError, ssl.SSLError) as error:
        raise BusError(f"read certificates of [bus]: {reason_of(error)}", "check [bus] ca, cert and key") from error
    return context
