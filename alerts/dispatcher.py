"""Claims what is due, sends it, records what came of it: accept → route → send → record → escalate, for ever."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog

from alerts.channel import Channel, DeliveryError, Message, Reason
from alerts.clock import Clock
from alerts.desk import Desk
from alerts.errors import DamagedError, StoreError
from alerts.event import Event, Kind
from alerts.metrics import AlertMetrics
from alerts.queue import Attempt, Claim
from alerts.retry import Next, after_failure, fallback
from alerts.supervision import Supervision
from config.model import Config

LONGEST = timedelta(seconds=30)  # that one try may take
HURRY = timedelta(seconds=10)  # that it may take while another channel could be tried
LEASE = timedelta(seconds=60)  # longer than a try and its record together
PARALLEL = 8  # tries at once on one channel
_LOOK = timedelta(seconds=5)  # the longest sleep: the wall's clock may have jumped
_PAUSE = 1.0  # seconds to wait after the state file could not be used
_PERSIST = 20  # times that a record is tried

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class Dispatcher:
    """Sends the desk's notifications by its channels, at least once each.

    A channel that hangs holds only its own places; a failing row, channel or state file never ends the loop.
    """

    def __init__(
        self,
        desk: Desk,
        channels: Mapping[str, Channel],
        config: Config,
        *,
        clock: Clock | None = None,
        metrics: AlertMetrics | None = None,
    ) -> None:
        self._desk = desk
        self._channels = dict(channels)
        self._config = config
        self._clock = clock or desk.clock
        self._metrics = metrics
        self._contacts = {contact.id: contact for contact in config.contact}
        self._busy: Counter[str] = Counter()
        self._sending: set[asyncio.Task[None]] = set()
        self._awake = asyncio.Event()
        self._trouble = ""
        self._supervision: Supervision | None = None
        # Its own thread: whatever else hangs in the shared ones must not hold the alarms.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="alerts")

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`, then let go at once; what was just being sent is sent again by the next run.

        It is run once. Call `drain` before, to stop with nothing left.

        Raises:
            ExceptionGroup: with a `DamagedError`: the state file was damaged while it was open.
        """
        loop = asyncio.get_running_loop()
        end = self._desk.subscribe(lambda event: self._heard(loop, event))
        try:
            async with asyncio.TaskGroup() as group:
                pump = group.create_task(self._pump(group), name="alerts-pump")
                await stop.wait()
                for task in (pump, *self._sending):
                    task.cancel()
        finally:
            end()
            self._thread.shutdown(wait=True)

    async def drain(self, timeout: timedelta) -> int:
        """Wait until nothing is due or being sent, or until the time is over. Returns how many are left."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout.total_seconds()
        while True:
            left = await asyncio.to_thread(self._desk.outbox.unsent, self._clock())
            if not left or loop.time() >= until:
                return left
            self.wake()
            await asyncio.sleep(0.02)

    def wake(self) -> None:
        """Look at once for what is due. Only from the loop's thread."""
        self._awake.set()

    def _heard(self, loop: asyncio.AbstractEventLoop, _event: Event) -> None:
        with suppress(RuntimeError):  # the loop has just ended
            loop.call_soon_threadsafe(self._awake.set)

    async def _pump(self, group: asyncio.TaskGroup) -> None:
        while True:
            self._awake.clear()
            try:
                pause = await self._turn(group)
                self._well()
            except DamagedError:
                raise  # it gets no better: the next start puts the file aside
            except StoreError as error:
                self._ill(error)
                pause = _PAUSE
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._awake.wait()

    async def _turn(self, group: asyncio.TaskGroup) -> float:
        """Start what is due now. Returns the seconds until something else may be."""
        room = {name: free for name in self._channels if (free := PARALLEL - self._busy[name]) >= 0}
        claims, due, trouble = await self._blocking(lambda: self._look(room))
        for claim in claims:
            self._busy[claim.tries.channel] += 1
            task = group.create_task(self._deliver(claim), name=f"send-{claim.id}")
            self._sending.add(task)
            task.add_done_callback(partial(self._left, claim.tries.channel))
        if trouble is not None:
            raise trouble
        now = self._clock()
        return max(0.0, min(_LOOK, due - now if due else _LOOK).total_seconds())

    def _left(self, channel: str, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._busy[channel] -= 1
        self._awake.set()

    def _look(self, room: dict[str, int]) -> tuple[list[Claim], datetime | None, StoreError | None]:
        """Ask the state file all that a turn needs, in the thread; what can be sent is sent, whatever else fails."""
        if self._supervision is None:
            self._desk.outbox.release()
            supervision = Supervision(self._desk, self._config.site)
            supervision.examine(self._config.channel, self._clock())
            self._supervision = supervision
        now, trouble = self._clock(), None
        for work in (self._desk.unshelve_due, self._desk.advance):
            try:
                work(now)
            except StoreError as error:
                trouble = error
        claims = self._desk.outbox.claim(room, now, LEASE)
        return claims, self._desk.outbox.next_due(now), trouble

    async def _deliver(self, claim: Claim) -> None:
        """Send one notification, record what came of it, count it, and draw conclusions about the channel."""
        channel, outbox = claim.tries.channel, self._desk.outbox
        attempt = await self._attempt(claim)
        if attempt.reason is None:
            await self._kept(lambda: outbox.accepted(claim, attempt))
        else:
            after = self._after(claim, attempt, attempt.reason)
            await self._kept(lambda: outbox.failed(claim, attempt, after))
        if channel in self._channels:
            self._count(claim, attempt)
            await self._kept(lambda: self._supervise(channel, attempt))

    async def _attempt(self, claim: Claim) -> Attempt:
        started = self._clock()
        try:
            text = await self._send(claim)
        except DeliveryError as error:
            return Attempt(
                started=started,
                finished=self._clock(),
                reason=error.reason,
                permanent=error.permanent,
                text=f"{error} ({error.hint})",
            )
        return Attempt(started=started, finished=self._clock(), text=text)

    def _after(self, claim: Claim, attempt: Attempt, reason: Reason) -> Next:
        return after_failure(
            claim.tries,
            permanent=attempt.permanent,
            created=claim.created,
            now=attempt.finished,
            once=claim.event.kind is Kind.TEST,
            why=reason,
        )

    def _count(self, claim: Claim, attempt: Attempt) -> None:
        if self._metrics is None:
            return
        if attempt.reason is not None:
            self._metrics.failed(claim.tries.channel, attempt.reason)
            return
        waited = (attempt.finished - claim.event.at).total_seconds()
        self._metrics.accepted(claim.tries.channel, waited if claim.event.kind is Kind.RAISED else None)

    def _supervise(self, channel: str, attempt: Attempt) -> None:
        if self._supervision is None:
            return
        if attempt.reason is None:
            self._supervision.worked(channel, attempt.finished)
        else:
            self._supervision.failed(channel, attempt.reason, attempt.finished)

    async def _send(self, claim: Claim) -> str:
        """Try one channel. Raises `DeliveryError`, whatever the channel does."""
        name = claim.tries.channel
        channel = self._channels.get(name)
        if channel is None:
            text = f"send by {name}: no such channel is configured"
            raise DeliveryError(Reason.CONFIG, text, "routes and channels must agree", permanent=True)
        limit = HURRY if fallback(claim.tries) else LONGEST
        try:
            async with asyncio.timeout(limit.total_seconds()):
                return (await channel.send(self._message(claim))).text
        except TimeoutError as error:
            text = f"send by {name}: no answer within {limit.total_seconds():g} s"
            raise DeliveryError(Reason.TIMEOUT, text, "another try follows") from error
        except DeliveryError:
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise self._internal(name, error) from error
        except Exception as error:
            raise self._internal(name, error) from error

    def _internal(self, name: str, error: BaseException) -> DeliveryError:
        _log.error("channel broke its contract", channel=name, exc_info=error)
        text = f"send by {name}: {type(error).__name__}: {error}"
        return DeliveryError(Reason.INTERNAL, text, "this is a fault of bongsu: report it with the log")

    def _message(self, claim: Claim) -> Message:
        event, contact = claim.event, self._contacts.get(claim.contact)
        return Message(
            id=claim.id,
            event=event.kind,
            alarm=event.alarm,
            state=event.state,
            severity=event.severity,
            site=self._config.site.id,
            text=event.message,
            contact=claim.contact,
            at=event.at.astimezone(self._config.site.zone),
            attempt=claim.attempt,
            phone=(contact.phone if contact else None) or "",
            email=(contact.email if contact else None) or "",
        )

    async def _kept(self, record: Callable[[], None]) -> None:
        """Record, with patience: what was sent and is not recorded would be sent again."""
        for _ in range(_PERSIST):
            try:
                await self._blocking(record)
            except StoreError as error:
                self._ill(error)
                await asyncio.sleep(_PAUSE)
            else:
                return

    async def _blocking(self, work: Callable[[], _T]) -> _T:
        """Do something in the thread; a cancel waits until it is done, so that nothing runs on unseen."""
        task = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            if not task.cancelled():
                task.exception()
            raise

    def _ill(self, error: StoreError) -> None:
        """Log one line for one failure, until it changes."""
        if str(error) != self._trouble:
            self._trouble = str(error)
            _log.error("state file fails", error=str(error), hint=error.hint)

    def _well(self) -> None:
        if self._trouble:
            self._trouble = ""
            _log.info("state file works again")
