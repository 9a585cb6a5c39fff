"""The console's application: a page, its status as JSON, and the acknowledgement."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jinja2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.responses import StreamingResponse as Stream
from starlette.routing import Route

from agent.console.guard import host_allowed, same_origin
from agent.console.page import rows_of
from agent.console.words import words
from agent.errors import hint_of, reason_of
from config.address import Listen, parse_listen
from config.model import Config

_FOLDER = Path(__file__).parent
_FORM_BYTES = 16 * 1024
_FIELD = 500
_EVENT_SECONDS = 1.0
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Status = Callable[[], Awaitable[dict[str, Any]]]
Acknowledge = Callable[[str, str, str], Awaitable[Mapping[str, Any]]]


class Console:
    """Answers the console's requests from what the monitor knows."""

    def __init__(self, config: Config, status: Status, acknowledge: Acknowledge) -> None:
        self._config = config
        self._status = status
        self._acknowledge = acknowledge
        self._words = words(config.site.language)
        loader = jinja2.FileSystemLoader(_FOLDER / "templates")
        self._templates = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)

    async def page(self, _request: Request) -> Response:
        """Show everything."""
        return HTMLResponse(await self._render("page.html"))

    async def tables(self, _request: Request) -> Response:
        """Show what changes, for the page's script."""
        return HTMLResponse(await self._render("tables.html"))

    async def status(self, _request: Request) -> Response:
        """Return everything as JSON."""
        return JSONResponse(await self._status())

    async def events(self, request: Request) -> Response:
        """Say each second that the tables can be fetched again, as server-sent events."""

        async def ticks() -> AsyncIterator[str]:
            while not await request.is_disconnected():
                yield "event: tick\ndata: 1\n\n"
                await asyncio.sleep(_EVENT_SECONDS)

        return Stream(ticks(), media_type="text/event-stream")

    async def acknowledge(self, request: Request) -> Response:
        """Acknowledge an alarm, for the page's form only."""
        if not same_origin(request):
            return PlainTextResponse(f"{self._words['refused']}: not from this page\n", 403)
        form = await _form(request)
        if form is None:
            return PlainTextResponse(f"{self._words['refused']}: no form of this page\n", 400)
        alarm, by, note = (form.get(name, [""])[0][:_FIELD] for name in ("alarm", "by", "note"))
        try:
            await self._acknowledge(alarm, by, note)
        except Exception as error:  # noqa: BLE001 - the desk's refusal is the answer
            return PlainTextResponse(f"{self._words['refused']}: {reason_of(error)}\n{hint_of(error)}\n", 409)
        return RedirectResponse("/", 303)

    async def _render(self, name: str) -> str:
        status = await self._status()
        site = self._config.site
        return self._templates.get_template(name).render(
            site=site,
            words=self._words,
            contacts=self._config.contact,
            replicated=self._config.replicator is not None,
            **rows_of(status, self._words, site.zone),
        )


async def _form(request: Request) -> dict[str, list[str]] | None:
    """Read a small urlencoded form; None when it is none, or longer than a form of ours can be."""
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/x-www-form-urlencoded":
        return None
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _FORM_BYTES:
            return None
    try:
        return parse_qs(body.decode("ascii"), max_num_fields=8, errors="strict")
    except ValueError:
        return None


def _file(name: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    content = (_FOLDER / "static" / name).read_bytes()

    async def serve(_request: Request) -> Response:
        return Response(content, media_type=media_type)

    return serve


class _Guard(BaseHTTPMiddleware):
    def __init__(self, app: Any, listen: Listen) -> None:
        super().__init__(app)
        self._listen = listen

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        if not host_allowed(request, self._listen):
            return PlainTextResponse("this host name is not the console's\n", 421)
        response = await call_next(request)
        response.headers.update(_HEADERS)
        return response


def console_app(config: Config, status: Status, acknowledge: Acknowledge) -> Starlette:
    """Make the console's application."""
    console = Console(config, status, acknowledge)
    listen = parse_listen((config.monitor.console if config.monitor else None) or "127.0.0.1:0")
    return Starlette(
        routes=[
            Route("/", console.page),
            Route("/tables", console.tables),
            Route("/events", console.events),
            Route("/api/status", console.status),
            Route("/acknowledge", console.acknowledge, methods=["POST"]),
            Route("/console.css", _file("console.css", "text/css")),
            Route("/console.js", _file("console.js", "text/javascript")),
        ],
        middleware=[Middleware(_Guard, listen=listen)],
    )
