"""A bad line between two rooms: real IP packets between two network namespaces, delayed, lost and cut.

Why no `tc netem`: kernels come without it. Each room has a TUN device, and this process carries the packets between
them; the ends are the kernel's own TCP, which sees a slow line that loses packets, and nothing at all when it is cut.
"""

import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_CLONE_NEWNET = 0x40000000
_MTU = 1500
#: Packets that wait for a slow line before the next is dropped, as in a router.
_QUEUE = 200
#: Seconds that a packet is late which others overtake.
_LATE = 0.005
_libc = ctypes.CDLL(None, use_errno=True)
#: Where each room's end is.
ADDRESSES = ("10.213.7.1", "10.213.7.2")


class Quality(NamedTuple):
    """How bad a line is.

    Attributes:
        delay: seconds one way.
        loss: share of packets that are lost.
        rate: bytes a second; 0 for no limit.
        swapped: share of packets that come later than those behind them.
        doubled: share of packets that come twice.
    """

    delay: float = 0.0
    loss: float = 0.0
    rate: float = 0.0
    swapped: float = 0.0
    doubled: float = 0.0


class Wan:
    """The line. `cut` and `quality` may be set at any time; `bytes` counts what was carried, from each room."""

    def __init__(self, tag: str, quality: Quality, seed: int = 1) -> None:
        self.quality = quality
        self.cut = False
        self.bytes = [0, 0]
        self.rooms = (f"{tag}-a", f"{tag}-b")
        self._chance = random.Random(seed)
        self._ends = [_end(room, f"{tag[-8:]}{letter}") for room, letter in zip(self.rooms, "ab", strict=True)]
        self._free = [0.0, 0.0]
        self._way: list[tuple[float, int, int, bytes]] = []
        self._waiting = [0, 0]
        self._count = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        for number, (room, letter) in enumerate(zip(self.rooms, "ab", strict=True)):
            _up(room, f"{tag[-8:]}{letter}", ADDRESSES[number], ADDRESSES[1 - number])
        self._thread.start()

    def close(self) -> None:
        """Take it down, with its rooms."""
        self._stopping = True
        self._thread.join()
        for end in self._ends:
            os.close(end)
        for room in self.rooms:
            subprocess.run(["ip", "netns", "del", room], check=False)

    def within(self, room: int, work: Callable[[], None]) -> Future[None]:
        """Do something in one of the rooms, in a thread whose sockets, and those of its threads, are there."""
        done: Future[None] = Future()

        def enter() -> None:
            try:
                with Path(f"/run/netns/{self.rooms[room]}").open() as space:
                    if _libc.setns(space.fileno(), _CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), f"enter {self.rooms[room]}")
                work()
            except BaseException as error:  # noqa: BLE001 - whoever waits gets it
                done.set_exception(error)
            else:
                done.set_result(None)

        threading.Thread(target=enter, daemon=True).start()
        return done

    def _run(self) -> None:
        while not self._stopping:
            now = time.monotonic()
            wait = max(0.0, min(0.05, self._way[0][0] - now)) if self._way else 0.05
            ready, _, _ = select.select(self._ends, [], [], wait)
            for end in ready:
                with suppress(BlockingIOError):
                    for _ in range(32):
                        self._take(self._ends.index(end), os.read(end, _MTU + 100))
            self._give(time.monotonic())

    def _take(self, room: int, packet: bytes) -> None:
        quality = self.quality
        if self.cut or self._chance.random() < quality.loss or self._waiting[room] >= _QUEUE:
            return
        now = time.monotonic()
        self._free[room] = max(now, self._free[room]) + (len(packet) / quality.rate if quality.rate else 0.0)
        late = _LATE if self._chance.random() < quality.swapped else 0.0
        self._send(self._free[room] + quality.delay + late, room, packet)
        if self._chance.random() < quality.doubled:
            self._send(self._free[room] + quality.delay, room, packet)

    def _send(self, due: float, room: int, packet: bytes) -> None:
        self._count += 1
        self._waiting[room] += 1
        heapq.heappush(self._way, (due, self._count, room, packet))

    def _give(self, now: float) -> None:
        while self._way and self._way[0][0] <= now:
            _, _, room, packet = heapq.heappop(self._way)
            self._waiting[room] -= 1
            if not self.cut:
                self.bytes[room] += len(packet)
                with suppress(OSError):
                    os.write(self._ends[1 - room], packet)


def _end(room: str, name: str) -> int:
    _ip("netns", "add", room)
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(end, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    _ip("link", "set", name, "netns", room)
    return end


def _up(room: str, name: str, address: str, peer: str) -> None:
    _ip("-n", room, "link", "set", "lo", "up")
    _ip("-n", room, "addr", "add", f"{address}/32", "peer", f"{peer}/32", "dev", name)
    _ip("-n", room, "link", "set", name, "mtu", str(_MTU), "up")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@contextmanager
def wan(quality: Quality, seed: int = 1) -> Iterator[Wan]:
    """A line that is taken down at the end."""
    line = Wan(f"bg{os.getpid()}x{time.monotonic_ns() % 100_000}", quality, seed)
    try:
        yield line
    finally:
        line.close()
