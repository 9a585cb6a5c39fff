"""What the alarms of the sensors say to people."""

from datetime import timedelta
from typing import Literal

Language = Literal["ko", "en"]

_LIMITS = {
    "ko": {"above": "{} 초과", "below": "{} 미만", "is": "= {}", "rises": "{within}에 {} 상승"},
    "en": {"above": "above {}", "below": "below {}", "is": "= {}", "rises": "up {} in {within}"},
}
_TEXTS = {
    "ko": {
        "lost": "{} 응답 없음",
        "unusable": "{} 측정값 사용 불가",
        "link": "{} 통신선 끊김",
        "rule": "{} 경보 규칙 오류",
    },
    "en": {
        "lost": "no answer from {}",
        "unusable": "no usable value from {}",
        "link": "link {} is down",
        "rule": "alarm rule {} is broken",
    },
}
_UNITS = {"ko": (("시간", 3600), ("분", 60), ("초", 1)), "en": ((" h", 3600), (" min", 60), (" s", 1))}


def say_value(value: float | bool | None, unit: str) -> str:
    """A value with its unit; empty for yes and no, whose alarm says it all."""
    return "" if value is None or isinstance(value, bool) else f"{value:.6g}{unit}"


def say_limit(kind: str, amount: str, language: Language, within: timedelta | None = None) -> str:
    """A limit: `32°C 초과`."""
    return _LIMITS[language][kind].format(amount, within="" if within is None else say_duration(within, language))


def say_duration(duration: timedelta, language: Language) -> str:
    """A duration in the largest unit that it is a whole number of: `15분`."""
    seconds = duration.total_seconds()
    name, size = next(((n, s) for n, s in _UNITS[language] if seconds % s == 0), _UNITS[language][-1])
    return f"{seconds / size:g}{name}"


def say_part(alarm: str, subject: str, language: Language, *, answers: bool = False) -> str:
    """The text of an automatic alarm; `answers`: the lost device does answer, but nonsense."""
    kind = alarm.partition(":")[0]
    return _TEXTS[language]["unusable" if kind == "lost" and answers else kind].format(subject)
