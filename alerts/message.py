"""The words that people receive: pure.

Order: site, level, what happened, text, value (limit), time, what came of it, the attached line.
"""

from datetime import datetime, timedelta

import msgspec

from alerts.event import Kind
from config.model import Severity, Site

_LEVELS = {
    "ko": {
        Severity.NOTICE: "관심",
        Severity.CAUTION: "주의",
        Severity.ALERT: "경계",
        Severity.CRITICAL: "심각",
    },
    "en": {
        Severity.NOTICE: "NOTICE",
        Severity.CAUTION: "CAUTION",
        Severity.ALERT: "ALERT",
        Severity.CRITICAL: "CRITICAL",
    },
}
_HAPPENED = {
    "ko": {
        Kind.RAISED: "발생",
        Kind.REPEATED: "반복",
        Kind.ESCALATED: "미확인",
        Kind.ACKNOWLEDGED: "확인",
        Kind.CLEARED: "해제",
        Kind.INFO: "알림",
        Kind.TEST: "시험",
    },
    "en": {
        Kind.RAISED: "raised",
        Kind.REPEATED: "repeated",
        Kind.ESCALATED: "unacknowledged",
        Kind.ACKNOWLEDGED: "acknowledged",
        Kind.CLEARED: "cleared",
        Kind.INFO: "info",
        Kind.TEST: "test",
    },
}
_UPGRADED = {"ko": "상향", "en": "upgraded"}
_SINCE = {"ko": "발생 {0}, 지속 {1}", "en": "raised {0}, lasted {1}"}
_UNTAKEN = {"ko": "발생 {0}", "en": "raised {0}"}
_TEST_TEXT = {"ko": "통보 시험입니다", "en": "this is a test"}
_SHELVED = {"ko": "점검모드 {0} ({1}: {2})", "en": "shelved for {0} ({1}: {2})"}
_UNITS = {"ko": ("일", "시간", "분", "초"), "en": ("d", "h", "min", "s")}
_SIZES = (86400, 3600, 60, 1)


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What a message is made of; see `alerts.event.Event` for those that have the same name.

    Attributes:
        raised_at: when the occurrence began.
        number: how often it was repeated.
        upgraded: whether the severity rose.
        attached: the line at the end.
        who: the name of the person who acted.
    """

    kind: Kind
    severity: Severity
    text: str
    at: datetime
    value: str = ""
    limit: str = ""
    note: str = ""
    raised_at: datetime | None = None
    number: int = 0
    upgraded: bool = False
    attached: str = ""
    who: str = ""


def compose(words: Words, site: Site) -> str:
    """Return the whole text, on one line."""
    parts = [_head(words, site), _fact(words, site), _clock(words.at, words.at, site), _story(words, site)]
    parts += [words.note if words.kind is not Kind.TEST else "", words.attached]
    return " ".join(" ".join(parts).split())


def test_text(site: Site) -> str:
    """Return what a test says of itself."""
    return _TEST_TEXT[site.language]


def shelving_text(site: Site, duration: timedelta, by: str, reason: str) -> str:
    """Return what is said of a shelving."""
    names = _SHELVED[site.language]
    return names.format(span(duration, site.language), by, reason)


def _head(words: Words, site: Site) -> str:
    happened = _UPGRADED[site.language] if words.upgraded else _HAPPENED[site.language][words.kind]
    if words.kind is Kind.TEST:
        return f"[{site.name}] {happened}:"
    number = f" {words.number}" if words.kind is Kind.REPEATED else ""
    return f"[{site.name}] {_LEVELS[site.language][words.severity]} {happened}{number}:"


def _fact(words: Words, site: Site) -> str:
    if words.kind is Kind.TEST:
        return words.text or test_text(site)
    limit = f" ({words.limit})" if words.limit and words.kind in {Kind.RAISED, Kind.REPEATED, Kind.ESCALATED} else ""
    value = words.value if words.kind is not Kind.ACKNOWLEDGED else words.who
    return f"{words.text} {value}{limit}"


def _story(words: Words, site: Site) -> str:
    """Say when it began, where the message is about a later moment."""
    if words.raised_at is None or words.kind not in {Kind.REPEATED, Kind.ESCALATED, Kind.CLEARED}:
        return ""
    began = _clock(words.raised_at, words.at, site)
    if words.kind is Kind.CLEARED:
        return f"({_SINCE[site.language].format(began, span(words.at - words.raised_at, site.language))})"
    return f"({_UNTAKEN[site.language].format(began)})"


def _clock(moment: datetime, now: datetime, site: Site) -> str:
    """Return a moment's local time, with the date when it is not the day of the message."""
    local, today = moment.astimezone(site.zone), now.astimezone(site.zone)
    return local.strftime("%H:%M:%S" if local.date() == today.date() else "%m-%d %H:%M:%S")


def span(time: timedelta, language: str) -> str:
    """Return a duration in its two largest units: `24분`, `1시간 5분`."""
    left = max(0, int(time.total_seconds()))
    found = []
    for size, unit in zip(_SIZES, _UNITS[language], strict=True):
        count, left = divmod(left, size)
        if count:
            found.append(f"{count}{unit}")
    return " ".join(found[:2]) or f"0{_UNITS[language][-1]}"
