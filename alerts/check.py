"""What a configuration lacks for its alarms to reach somebody."""

from config.errors import Problem
from config.model import Config, Severity


def problems(config: Config) -> list[Problem]:
    """Return what would keep an alarm from being told: a severity without a route."""
    routed = {severity for route in config.route for severity in route.severity}
    found = []
    for alarm in config.alarm:
        if alarm.severity not in routed:
            text = f"nobody is told: no [[route]] has severity {alarm.severity}"
            found.append(Problem(f'[[alarm]] "{alarm.id}" severity', text, f'add "{alarm.severity}" to a route'))
    if config.monitor and config.alarm and Severity.ALERT not in routed:
        text = f"nobody is told of failing parts and channels: no route has severity {Severity.ALERT}"
        found.append(Problem("[[route]] severity", text, f'add "{Severity.ALERT}" to a route'))
    return found
