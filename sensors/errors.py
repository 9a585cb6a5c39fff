"""What can go wrong between a wire and a reading.

SensorError
├── ProfileError      a device profile is not usable
├── ScenarioError     a simulator's scenario is not usable
├── LinkDownError     nothing on the wire can be asked: no port, no connection
└── AskError          one ask brought no value
    ├── NoAnswerError     silence until the time-out
    ├── BadAnswerError    bytes came, and not the answer to this question
    └── RefusedError      the device answered with a Modbus exception
"""

from enum import StrEnum


class Failure(StrEnum):
    """Why an ask brought no value: the closed set behind the metric label `reason`."""

    LINK_DOWN = "link_down"
    NO_ANSWER = "no_answer"
    BAD_ANSWER = "bad_answer"
    REFUSED = "refused"
    FAULT = "fault"


class SensorError(Exception):
    """The root: text says what and why, `hint` what to do next."""

    failure = Failure.FAULT

    def __init__(self, text: str, *, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


class ProfileError(SensorError):
    """A device profile is not usable."""


class ScenarioError(SensorError):
    """A simulator's scenario is not usable."""


class LinkDownError(SensorError):
    """Nothing on the wire can be asked."""

    failure = Failure.LINK_DOWN


class AskError(SensorError):
    """One ask brought no value."""


class NoAnswerError(AskError):
    """Silence until the time-out."""

    failure = Failure.NO_ANSWER


class BadAnswerError(AskError):
    """Bytes came, and not the answer to this question."""

    failure = Failure.BAD_ANSWER


class RefusedError(AskError):
    """The device answered with a Modbus exception."""

    failure = Failure.REFUSED

    def __init__(self, text: str, *, code: int, hint: str = "") -> None:
        super().__init__(text, hint=hint)
        self.code = code
