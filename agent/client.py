"""The other end of a control socket: what the command line and the reporter use."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from agent import requests
from agent.control import LINE
from agent.errors import AgentError, NotRunningError, RequestRefusedError

_SECONDS = 15.0


def socket_path(state: Path, part: str) -> Path:
    """Return where a daemon's control socket stands."""
    return state / f"{part}.sock"


@asynccontextmanager
async def connect(path: Path) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter], None]:
    """Open a control socket.

    Raises:
        NotRunningError: nobody listens there.
        AgentError: it is there and may not be opened.
    """
    part = path.stem
    try:
        reader, writer = await asyncio.open_unix_connection(str(path), limit=LINE)
    except PermissionError as error:
        raise AgentError(
            f"open {path}: permission denied", "run the command as the user bongsu, as its group, or as root"
        ) from error
    except OSError as error:
        raise NotRunningError(
            f"reach the {part}: it is not running (no answer at {path})",
            f"start it: bongsu run {part} --config FILE, or systemctl start bongsu-{part}",
        ) from error
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def ask(path: Path, request: requests.Request, seconds: float = _SECONDS) -> dict[str, Any]:
    """Send one request and return its answer without `ok`.

    Raises:
        NotRunningError: nobody listens, or the daemon went away before it answered.
        RequestRefusedError: the daemon's answer is no.
        AgentError: no answer in time, or one that is none.
    """
    try:
        async with connect(path) as (reader, writer), asyncio.timeout(seconds):
            writer.write(requests.encode(request))
            await writer.drain()
            line = await reader.readline()
    except TimeoutError as error:
        raise AgentError(f"ask the {path.stem}: no answer within {seconds:.0f} s", "look at its log") from error
    except OSError as error:
        raise NotRunningError(f"ask the {path.stem}: it went away ({error})", "look at its log") from error
    return _checked(path.stem, line)


def _checked(part: str, line: bytes) -> dict[str, Any]:
    if not line.endswith(b"\n"):
        raise NotRunningError(f"ask the {part}: it went away before it answered", "look at its log")
    try:
        answer = msgspec.json.decode(line)
    except msgspec.DecodeError as error:
        raise AgentError(f"ask the {part}: its answer is no JSON", "update both to the same version") from error
    if not isinstance(answer, Mapping) or not answer.get("ok"):
        fields = answer if isinstance(answer, Mapping) else {}
        raise RequestRefusedError(str(fields.get("text", "refused")), str(fields.get("hint", "")))
    return {key: value for key, value in answer.items() if key != "ok"}
