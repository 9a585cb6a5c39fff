"""The first message of a connection, and the answer."""

import asyncio
import time

from replicator.errors import ReplicatorError, StreamError, WireError
from replicator.messages import PROTOCOL, TAKES, Hello, ToVault, Welcome
from replicator.paths import check_source
from replicator.stream import HANDSHAKE, Stream


async def greet(stream: Stream[ToVault], limit: float = HANDSHAKE) -> Hello:
    """Who is there, and as what.

    Raises:
        StreamError: nobody speaks in time.
        WireError: it is no hello.
        ReplicatorError: it is one of another protocol; `PathError` for ids that are no names.
    """
    try:
        async with asyncio.timeout(limit):
            hello, _ = await stream.receive()
    except TimeoutError:
        raise StreamError(f"greet {stream.peer}: silent for {limit:.0f} s") from None
    if not isinstance(hello, Hello) or hello.role not in {"sender", "reader"}:
        raise WireError(f"greet {stream.peer}: its first message is no hello")
    if hello.protocol != PROTOCOL:
        raise ReplicatorError(
            f"greet {stream.peer}: it speaks protocol {hello.protocol}, the vault {PROTOCOL}",
            hint="use the same bongsu at both ends",
        )
    for name in (hello.site, *hello.sources):
        check_source(name)
    return hello


def welcome(vault: str, positions: dict[str, int]) -> Welcome:
    """What the vault answers: who it is, what time it has, how far each source is."""
    return Welcome(protocol=PROTOCOL, vault=vault, now_ns=time.time_ns(), positions=positions, takes=TAKES)
