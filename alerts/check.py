"""What a configuration lacks for its alarms to reach somebody."""

from config.errors import Problem
from config.model import Config, Route, Severity


def problems(config: Config) -> list[Problem]:
    """Return what would keep an alarm from being told: a severity without a route, steps that never come."""
    return [*_unrouted(config), *_steps(config)]


def _unrouted(config: Config) -> list[Problem]:
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


def _steps(config: Config) -> list[Problem]:
    return [problem for number, route in enumerate(config.route, 1) for problem in _order(number, route)]


def _order(number: int, route: Route) -> list[Problem]:
    found = []
    for place, step in enumerate(route.steps, 1):
        key = f"[[route]] {number} step {place}"
        if place > 1 and step.after <= route.steps[place - 2].after:
            text = "it does not come after the step before it"
            found.append(Problem(f"{key} after", text, "give each step a longer time than the one before"))
        if step.times > 1 and step.repeat is None:
            found.append(Problem(f"{key} times", "there is no repeat to count", 'add repeat = "60s"'))
    return found
