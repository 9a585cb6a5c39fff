"""What the replicator holds to be wrong now, as conditions of alarms."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

from alerts.condition import Condition
from config.model import Severity
from replicator.source import Source

#: Seconds without the vault, and of a blindness that a scan is about to close, before anybody is told.
_PATIENCE = 10.0
_STARTING = 600.0

Language = Literal["ko", "en"]
_TEXTS = {
    "blind": {"ko": "문서 {0} 변경 감시 불가", "en": "changes of {0} may go unseen"},
    "full": {"ko": "원격 금고 공간 부족", "en": "vault has no room"},
    "vault": {"ko": "원격 금고 연결 끊김", "en": "vault unreachable"},
    "missing": {"ko": "문서 폴더 {0} 없음", "en": "source {0} missing"},
    "unmounted": {"ko": "문서 {0} 안의 디스크 없음", "en": "a disk inside {0} is missing"},
    "held": {"ko": "문서 {0} 대량 삭제 보류", "en": "mass deletion of {0} held"},
    "aside": {"ko": "문서 {0} 일부 복제 불가", "en": "some of {0} cannot be copied"},
    "unreadable": {"ko": "문서 {0} 읽을 수 없는 폴더", "en": "folders of {0} cannot be read"},
    "journal": {"ko": "복제 일지 기록 불가", "en": "journal cannot be written"},
}


class Conditions:
    """Finds the active ones; the same one keeps the time at which it was found."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self._since: dict[str, datetime] = {}

    def find(
        self, sources: list[Source], *, now_ns: int, vault_since_ns: int, vault_reason: str, journal: str
    ) -> list[Condition]:
        """All active ones. `vault_reason` is empty while connected, `journal` while it can be written."""
        now = datetime.fromtimestamp(now_ns / 1e9, UTC)
        found: list[Condition] = []

        def add(alarm: str, key: str, severity: Severity, reason: str, *, about: str = "", value: str = "") -> None:
            at = self._since.setdefault(alarm, now)
            text = _TEXTS[key][self._language].format(about)
            found.append(
                Condition(alarm=alarm, active=True, severity=severity, text=text, at=at, value=value, reason=reason)
            )

        if vault_reason and now_ns - vault_since_ns > _PATIENCE * 1e9:
            add("vault:unreachable", "vault", Severity.ALERT, vault_reason)
        for reason in _lacking(sources):
            add("vault:full", "full", Severity.ALERT, reason)
        if journal:
            add("journal:unwritable", "journal", Severity.CAUTION, journal)
        for source in sources:
            sight, name = source.sight, source.id
            for alarm, key, severity, reason in _unseen(source, now_ns):
                add(f"{alarm}:{name}", key, severity, reason, about=name)
            for key, reason, much in _untrusted(source):
                add(f"{key}:{name}", key, Severity.CRITICAL, reason, about=name, value=str(much))
            aside = source.pending.aside
            if aside:
                reason = next(iter(aside.values())).reason
                add(f"set-aside:{name}", "aside", Severity.CAUTION, reason, about=name, value=str(len(aside)))
            if sight.scanned is not None and sight.scanned.unreadable:
                path, why = sight.scanned.unreadable[0]
                count = str(sight.scanned.unreadable_count)
                reason = f"{path.decode(errors='backslashreplace')}: {why}"
                add(f"unreadable:{name}", "unreadable", Severity.CAUTION, reason, about=name, value=count)
        active = {condition.alarm for condition in found}
        self._since = {alarm: at for alarm, at in self._since.items() if alarm in active}
        return found


def _lacking(sources: list[Source]) -> list[str]:
    """Why the vault has no room, once."""
    return [source.room.lacking for source in sources if source.room.lacking][:1]


def _unseen(source: Source, now_ns: int) -> Iterator[tuple[str, str, Severity, str]]:
    """What keeps changes from being seen: kind of alarm, kind of condition, severity, reason."""
    if source.sight.missing:
        yield "source", "missing", Severity.CRITICAL, source.sight.missing
    elif _blind(source, now_ns):
        yield "blind", "blind", Severity.ALERT, source.sight.blind_reason


def _untrusted(source: Source) -> Iterator[tuple[str, str, int]]:
    """What is there instead of what was known, until somebody accepts it: kind of condition, reason, how much."""
    right = f"if it is right: touch {source.accept}"
    lost = sorted(source.sight.inner.lost.items())
    if lost:
        yield "unmounted", f"{lost[0][0].decode(errors='backslashreplace')}: {lost[0][1]}; {right}", len(lost)
    if source.sight.held:
        yield "held", f"the root is another folder; {right}", source.sight.held


def _blind(source: Source, now_ns: int) -> bool:
    sight = source.sight
    if not sight.blind_since_ns:
        return False
    if sight.behind and source.first_copy.lasts():
        return False  # it lasts as long as it must, and what changes meanwhile is seen
    patience = _STARTING if sight.blind_reason == "starting" else 0.0 if sight.lasting else _PATIENCE
    return now_ns - sight.blind_since_ns > patience * 1e9
