"""What the console says, Korean and English."""

from collections.abc import Mapping

_KO = {
    "title": "봉수 상황판", "readings": "측정값", "device": "장치", "point": "항목", "value": "값", "quality": "신호",
    "at": "시각", "good": "정상", "bad": "이상", "lost": "끊김", "alarms": "경보", "no_alarms": "열린 경보가 없습니다.",
    "severity": "단계", "alarm": "경보", "state": "상태", "limit": "기준", "acknowledge": "확인",
    "contact": "담당자", "note": "메모", "replication": "문서 백업", "source": "자료", "pending": "미전송",
    "pending_bytes": "미전송 크기", "lag": "지연(초)", "watch": "감시", "no_replication": "복제기 응답이 없습니다.",
    "none_replication": "문서 백업이 설정되지 않았습니다.", "vault": "백업 서버", "connected": "연결됨",
    "disconnected": "연결 끊김", "parts": "구성 요소", "part": "이름", "up": "정상", "down": "중단", "reason": "이유",
    "updated": "갱신", "notice": "관심", "caution": "주의", "alert": "경계", "critical": "심각",
    "normal": "정상", "unacknowledged": "미확인", "acknowledged": "확인됨",
    "returned-unacknowledged": "해제(미확인)", "shelved": "점검모드", "yes": "감지", "no": "없음", "blind": "감시 공백",
    "ok": "정상", "refused": "요청이 거부되었습니다",
}  # fmt: skip
_EN = {
    "title": "bongsu console", "readings": "Readings", "device": "Device", "point": "Point", "value": "Value",
    "quality": "Quality", "at": "Time", "good": "good", "bad": "bad", "lost": "lost", "alarms": "Alarms",
    "no_alarms": "No open alarms.", "severity": "Level", "alarm": "Alarm", "state": "State", "limit": "Limit",
    "acknowledge": "Acknowledge", "contact": "Contact", "note": "Note", "replication": "Documents",
    "source": "Source", "pending": "Still here", "pending_bytes": "Their size", "lag": "Lag (s)", "watch": "Watch",
    "no_replication": "The replicator does not answer.", "none_replication": "No replication is configured.",
    "vault": "Vault", "connected": "connected", "disconnected": "not connected", "parts": "Parts", "part": "Part",
    "up": "up", "down": "down", "reason": "Reason", "updated": "Updated", "notice": "notice", "caution": "caution",
    "alert": "alert", "critical": "critical", "normal": "normal", "unacknowledged": "unacknowledged",
    "acknowledged": "acknowledged", "returned-unacknowledged": "returned, unacknowledged", "shelved": "shelved",
    "yes": "yes", "no": "no", "blind": "blind", "ok": "ok", "refused": "The request was refused",
}  # fmt: skip


def words(language: str) -> Mapping[str, str]:
    """Return the console's words in a language, `ko` or `en`."""
    return _KO if language == "ko" else _EN
