"""A scenario: simulated devices, and what happens to them when."""

import tomllib
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Literal

import msgspec

from config.fields import parse_duration
from sensors.errors import ScenarioError
from sensors.profiles import load_profile


class Fault(StrEnum):
    """What a device does wrong; `none` ends it."""

    NONE = "none"
    SILENT = "silent"
    LATE = "late"
    WRONG_UNIT = "wrong_unit"
    BAD_SUM = "bad_sum"
    EXCEPTION = "exception"
    GARBAGE = "garbage"
    CUT = "cut"
    ECHO = "echo"


class LinkPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One simulated wire; a serial one with `pace` takes as long as a real one at that baud."""

    id: str
    kind: Literal["tcp", "rtu+tcp", "serial"] = "tcp"
    baud: int = 9600
    pace: bool = False


class DevicePlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One simulated device and the values that it begins with; the others begin at 0 or the range's lowest."""

    id: str
    link: str
    profile: str
    unit: int = 1
    start: dict[str, float | bool] = {}


class StepPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happens at a time: a point is set, at once or ramped `over` a time, or a fault begins or ends."""

    at: str
    device: str
    point: str | None = None
    to: float | bool | None = None
    over: str = "0s"
    fault: Fault | None = None


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole play."""

    name: str
    link: tuple[LinkPlan, ...]
    device: tuple[DevicePlan, ...]
    step: tuple[StepPlan, ...] = ()


def scenario_names() -> list[str]:
    """The scenarios that are shipped."""
    found = (entry.name for entry in files("sensors.scenarios").iterdir())
    return sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))


def load_scenario(name: str) -> Scenario:
    """Read a shipped scenario by its name, or one of your own by its path.

    Raises:
        ScenarioError: there is none, or it is not usable.
    """
    try:
        if name in scenario_names():
            text = (files("sensors.scenarios") / f"{name}.toml").read_text("utf-8")
        else:
            text = Path(name).read_text("utf-8")
        return parse_scenario(text)
    except OSError as error:
        hint = f"shipped ones: {', '.join(scenario_names())}; or give the path of a file"
        raise ScenarioError(f"read scenario {name}: {error.strerror}", hint=hint) from error
    except ScenarioError as error:
        raise ScenarioError(f"read scenario {name}: {error}", hint=error.hint) from error


def parse_scenario(text: str) -> Scenario:
    """Read a scenario and check that it fits together.

    Raises:
        ScenarioError: with every cause.
    """
    hint = "compare it with sensors/scenarios/disaster.toml"
    try:
        scenario = msgspec.convert(tomllib.loads(text), Scenario, strict=True)
        problems = [problem for step in scenario.step for problem in _step_problems(scenario, step)]
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, ValueError) as error:
        raise ScenarioError(str(error), hint=hint) from error
    links = {link.id for link in scenario.link}
    for device in scenario.device:
        problems += [f"device {device.id}: there is no link {device.link}"] if device.link not in links else []
        known = {point.name for point in load_profile(device.profile).point}
        problems += [f"device {device.id}: there is no point {name}" for name in device.start if name not in known]
    if problems:
        raise ScenarioError("; ".join(problems), hint=hint)
    return scenario


def _step_problems(scenario: Scenario, step: StepPlan) -> list[str]:
    parse_duration(step.at), parse_duration(step.over)
    device = next((device for device in scenario.device if device.id == step.device), None)
    if device is None:
        return [f"step at {step.at}: there is no device {step.device}"]
    if step.fault is None and (step.point is None or step.to is None):
        return [f"step at {step.at}: it needs a point and to, or a fault"]
    if step.point is not None and load_profile(device.profile).find(step.point) is None:
        return [f"step at {step.at}: {device.profile} has no point {step.point}"]
    return []
