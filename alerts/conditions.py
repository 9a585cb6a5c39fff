"""Conditions that this package itself tells."""

from datetime import datetime

from alerts.condition import Condition
from alerts.errors import Reason
from alerts.routing import CHANNEL_ALARM
from alerts.views import AlarmView
from config.model import Severity, Site

CHANNELS = "channels"  # the part that failing channels' alarms belong to
STORE = "store"  # the part that the state file's own alarm belongs to
_ANEW = {"ko": "경보 기록이 손상되어 새로 시작함", "en": "alarm records were damaged and begin anew"}
_FAILING = {"ko": "통보 채널 {0} 전송 실패", "en": "channel {0} does not deliver"}


def cleared(view: AlarmView, reason: str, at: datetime) -> Condition:
    """Return the condition that ends an alarm."""
    return Condition(
        alarm=view.id,
        active=False,
        severity=view.severity,
        text=view.text,
        reason=reason,
        at=at,
        evacuate=view.evacuate,
    )


def channel_condition(channel: str, site: Site, reason: Reason | None, at: datetime) -> Condition:
    """Return the condition of a channel that fails for a reason, or, without one, works again."""
    return Condition(
        alarm=f"{CHANNEL_ALARM}{channel}",
        active=reason is not None,
        severity=Severity.ALERT,
        text=_FAILING[site.language].format(channel),
        value=str(reason or ""),
        reason=str(reason or "it accepts again"),
        at=at,
    )


def damaged_condition(what: str, site: Site, at: datetime) -> Condition:
    """Return the condition of alarms that were lost with a damaged file or row: who acknowledged them is forgotten."""
    return Condition(
        alarm=STORE,
        active=True,
        severity=Severity.ALERT,
        text=_ANEW[site.language],
        value=what,
        reason="the state file was damaged",
        at=at,
    )
