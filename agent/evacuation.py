"""What an alarm's messages say about the documents. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from agent.requests import Evacuation
from config.model import Site

_THOUSAND = 1000.0


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What one alarm's messages were given so far.

    Attributes:
        occurrence: the alarm's occurrence that it belongs to.
        text: the line attached last.
        done: whether it was told that everything is at the vault.
        safe: whether the line attached last still says so.
    """

    occurrence: str
    text: str = ""
    done: bool = False
    safe: bool = False


class Say(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell: `attach` a line to the alarm's next message, or `inform` of it at once."""

    alarm: str
    text: str
    at_once: bool = False


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """How the replicator is, for the words: whether it answers, and whether its vault does."""

    replicator: bool
    vault: bool


def decide(
    active: Mapping[str, str],
    told: Mapping[str, Told],
    evacuations: Mapping[str, Evacuation],
    line: Line,
    *,
    now: datetime,
    site: Site,
) -> tuple[dict[str, Told], list[Say]]:
    """Decide what to say of each evacuating alarm.

    Args:
        active: evacuating alarms and their occurrence.
        told: what was said so far.
        evacuations: what the replicator reported last.
        line: whether it can be believed to be there.
        now: the time.
        site: its language and zone.

    Returns:
        What was said afterwards, and what is to be said now.
    """
    after: dict[str, Told] = {}
    says: list[Say] = []
    for alarm, occurrence in active.items():
        before = told.get(alarm)
        if before is None or before.occurrence != occurrence:
            before = Told(occurrence=occurrence)
        texts = _texts(before, evacuations.get(alarm), line, now=now, site=site)
        says += [Say(alarm=alarm, text=text, at_once=at_once) for text, at_once in texts]
        after[alarm] = _after(before, texts, complete=line.replicator and _complete(evacuations.get(alarm)))
    return after, says


def _texts(
    before: Told, evacuation: Evacuation | None, line: Line, *, now: datetime, site: Site
) -> list[tuple[str, bool]]:
    """Return what is new to say of one alarm, and whether at once."""
    if not line.replicator:
        text = silent_text(site.language)
    elif before.safe or (evacuation is None and not before.text):
        return []  # all was said; or the replicator was asked a moment ago
    elif _complete(evacuation):
        text = done_text(now, site)
        if before.done:  # the replicator was silent since, or the monitor was: the next message carries it again
            return [(text, False)]
        # What the next message was to carry is out of date: the news goes out without it, and is the new line.
        return [("", False), (text, True), (text, False)]
    else:
        text = under_way_text(evacuation, line.vault, now, site.language)
    return [] if text == before.text else [(text, False)]


def _after(before: Told, texts: list[tuple[str, bool]], *, complete: bool) -> Told:
    """Return what was said of one alarm when these texts are said too."""
    return Told(
        occurrence=before.occurrence,
        text=texts[-1][0] if texts else before.text,
        done=before.done or any(at_once for _, at_once in texts),
        safe=complete if texts else before.safe,
    )


def _complete(evacuation: Evacuation | None) -> bool:
    return evacuation is not None and evacuation.complete


def silent_text(language: str) -> str:
    """Say that nobody knows how the documents are."""
    return "복제기 응답 없음, 문서 상태 모름" if language == "ko" else "replicator does not answer, documents unknown"


def done_text(now: datetime, site: Site) -> str:
    """Say that every document is at the vault."""
    clock = now.astimezone(site.zone).strftime("%H:%M:%S")
    return f"문서 백업 완료 {clock}, 미전송 0건" if site.language == "ko" else f"documents safe {clock}, 0 still here"


def under_way_text(evacuation: Evacuation | None, vault: bool, now: datetime, language: str) -> str:
    """Say how much is still here, and how old the oldest of it is."""
    korean = language == "ko"
    head = ("문서 대피 중" if vault else "문서 대피 중(백업 서버 연결 끊김)") if korean else "evacuating documents"
    if not vault and not korean:
        head += " (vault not connected)"
    if evacuation is None:
        return head
    size = size_text(evacuation.pending_bytes)
    text = f"미전송 {evacuation.pending}건({size})" if korean else f"{evacuation.pending} still here ({size})"
    if evacuation.oldest_ns > 0:
        seconds = max(now.timestamp() - evacuation.oldest_ns / 1e9, 0.0)
        text += f", 가장 오래된 것 {seconds:.1f}초 전" if korean else f", oldest {seconds:.1f} s ago"
    return f"{head}: {text}"


def size_text(count: int) -> str:
    """Write bytes as people do, in powers of 1000."""
    if count < _THOUSAND:
        return f"{count}B"
    size = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        size /= _THOUSAND
        if size < _THOUSAND:
            return f"{size:.1f}{unit}"
    return f"{size:.0f}TB"


def utc_now() -> datetime:
    """Return the time, with a zone."""
    return datetime.now(UTC)
