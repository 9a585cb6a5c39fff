"""What the command line says, Korean or English by LC_ALL, LC_MESSAGES, LANG."""

import os
from collections.abc import Mapping

_EN = {
    "part": "PART", "state": "STATE", "reason": "REASON", "up": "up", "down": "DOWN", "device": "DEVICE",
    "point": "POINT", "value": "VALUE", "quality": "QUALITY", "time": "TIME", "alarm": "ALARM", "severity": "LEVEL",
    "text": "TEXT", "source": "SOURCE", "pending": "PENDING", "bytes": "BYTES", "lag": "LAG", "watch": "WATCH",
    "no_alarms": "no open alarms", "good": "good", "bad": "bad", "lost": "lost", "notice": "notice",
    "caution": "caution", "alert": "alert", "critical": "critical", "normal": "normal",
    "unacknowledged": "unacknowledged", "acknowledged": "acknowledged",
    "returned-unacknowledged": "returned-unacknowledged", "shelved": "shelved", "blind": "blind", "ok": "ok",
    "acked": "acknowledged {alarm} by {by}", "shelved_until": "shelved {alarm} for {time}, by {by}",
    "contact": "CONTACT", "channel": "CHANNEL", "result": "RESULT", "yes": "yes", "no": "no",
    "all_well": "all is well", "not_well": "something is wrong", "accepted": "accepted", "failed": "failed",
    "pending_word": "waiting", "sending": "being sent", "cancelled": "cancelled",
    "version_time": "TIME", "size": "SIZE", "mode": "MODE", "hash": "SHA-256", "deleted": "deleted",
    "moment": "moment", "a_moment": "a marked moment: it was being written when it was copied",
    "restored": "restored {files} files, {bytes} bytes, into {target}",
    "verified": "checked {objects} objects and {records} records, {bytes} bytes",
    "damaged": "damaged {what} {name}: {reason}", "repaired": "repaired", "damages": "{count} damaged",
    "file_fine": "the file is in order", "name": "NAME",
}  # fmt: skip
_KO = {
    "part": "구성요소", "state": "상태", "reason": "이유", "up": "정상", "down": "중단", "device": "장치",
    "point": "항목", "value": "값", "quality": "신호", "time": "시각", "alarm": "경보", "severity": "단계",
    "text": "내용", "source": "자료", "pending": "미전송", "bytes": "크기", "lag": "지연", "watch": "감시",
    "no_alarms": "열린 경보 없음", "good": "정상", "bad": "이상", "lost": "끊김", "notice": "관심",
    "caution": "주의", "alert": "경계", "critical": "심각", "normal": "정상",
    "unacknowledged": "미확인", "acknowledged": "확인됨",
    "returned-unacknowledged": "해제(미확인)", "shelved": "점검모드", "blind": "감시공백", "ok": "정상",
    "acked": "{alarm} 확인함 ({by})", "shelved_until": "{alarm} 점검모드 {time} ({by})",
    "contact": "담당자", "channel": "채널", "result": "결과", "yes": "예", "no": "아니오",
    "all_well": "모두 정상", "not_well": "이상 있음", "accepted": "접수됨", "failed": "실패",
    "pending_word": "대기", "sending": "전송 중", "cancelled": "취소됨",
    "version_time": "시각", "size": "크기", "mode": "권한", "hash": "SHA-256", "deleted": "삭제됨",
    "moment": "쓰는 중", "a_moment": "쓰는 중에 복제된 한 시점입니다",
    "restored": "파일 {files}개, {bytes}바이트를 {target}에 복원함",
    "verified": "객체 {objects}개, 기록 {records}개, {bytes}바이트 확인함",
    "damaged": "손상된 {what} {name}: {reason}", "repaired": "복구됨", "damages": "손상 {count}건",
    "file_fine": "설정 파일에 문제가 없습니다", "name": "이름",
}  # fmt: skip


def language(environment: Mapping[str, str] = os.environ) -> str:
    """Return `ko` or `en`: the first of LC_ALL, LC_MESSAGES, LANG that is set decides."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(name):
            return "ko" if environment[name].lower().startswith("ko") else "en"
    return "en"


def word(key: str, **fields: object) -> str:
    """Return a word or a sentence; a key that has none is shown as it is."""
    table = _KO if language() == "ko" else _EN
    text = table.get(key, key)
    return text.format(**fields) if fields else text
