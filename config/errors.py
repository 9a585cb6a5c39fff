"""Errors of the configuration.

ValueError
├── FieldError       one value is not what its key wants
└── (pydantic's own, turned into problems by `shape`)
ConfigError          the file as a whole: every problem at once
SecretError          a secret's file cannot be used
"""

import re
from dataclasses import dataclass, field, replace

_SECTION = re.compile(r"\[+([^\]\s]+)\]")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or worth a word, in the file.

    Attributes:
        key: as the user knows it: `[[alarm]] "rack1-hot" point`.
        text: what is wrong with it.
        hint: what to do next, or empty.
        line: its line in the file from 1, or 0 when it has none.
    """

    key: str
    text: str
    hint: str = ""
    line: int = field(default=0, compare=False)

    @property
    def section(self) -> str:
        """The section that it is about, without brackets; empty when it is about the whole file."""
        match = _SECTION.match(self.key)
        return match[1] if match else ""

    def at(self, line: int) -> "Problem":
        """Return the same, found at this line."""
        return replace(self, line=line)

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}{self.key}: {self.text}{hint}"


class FieldError(ValueError):
    """A value is not what its key wants.

    Attributes:
        text: what is wrong.
        hint: what to write instead.
    """

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(f"{text}: {hint}" if hint else text)
        self.text = text
        self.hint = hint


class ConfigError(Exception):
    """The configuration cannot be used.

    Attributes:
        problems: every one of them, in the file's order; never empty.
        hint: the next step.
    """

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
        self.hint = "correct the file, then `bongsu check --config FILE`"


class SecretError(Exception):
    """A secret's file cannot be used. Nothing of its content is in the text."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint
