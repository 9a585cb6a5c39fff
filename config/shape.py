"""The shape of the file: which keys there are and of which type. What pydantic finds, said for people."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from config import names
from config.channels import NOT_AVAILABLE, Channel
from config.errors import FieldError, Problem
from config.guess import did_you_mean
from config.model import Config

_SECRETS = re.compile(r"(?:.*_)?(?:password|passwd|secret|token|api_?key|access_?key|secret_?key|private_?key)")
_KINDS = tuple(kind.__name__.lower() for kind in get_args(get_args(Channel)[0]))
_SHOWN = 40
_WANTED = {
    "string_type": ("it is not a text", "put it between double quotes"),
    "string_too_short": ("it is empty", "write it, or take the key out"),
    "bool_type": ("it is not a yes or no", "write true or false, without quotes"),
    "int_type": ("it is not a whole number", "write it without quotes"),
    "float_type": ("it is not a number", "write it without quotes"),
    "finite_number": ("it is not a number that can be passed", "write one like 32.0"),
    "list_type": ("it is not a list", 'write one like ["a", "b"]'),
    "too_short": ("the list is empty", "name at least one"),
    "model_type": ("it is not a table", "write its keys between braces { }"),
}


def check_shape(raw: Mapping[str, Any], folder: Path) -> tuple[Config | None, list[Problem], list[tuple[Any, ...]]]:
    """Check keys and types.

    Returns:
        The configuration, or None with every problem and the place of each in the raw tables.
    """
    try:
        return Config.model_validate(raw, context={"folder": folder}), [], []
    except ValidationError as error:
        found = [(_place(one), one) for one in error.errors(include_url=False)]
    problems = [_problem(raw, place, dict(one)) for place, one in found]
    return None, list(dict.fromkeys(problems)), [place for place, _ in found]


def _place(error: Any) -> tuple[Any, ...]:
    """Take out of pydantic's place what the user never wrote: the kind of a channel, the branch of a union."""
    place = tuple(error["loc"])
    if place[:1] == ("channel",) and len(place) > 2 and place[2] in _KINDS:  # noqa: PLR2004 - section, index, kind
        place = place[:2] + place[3:]
    return place[: place.index("is") + 1] if "is" in place else place


def _problem(raw: Mapping[str, Any], place: tuple[Any, ...], error: dict[str, Any]) -> Problem:
    key = _key(raw, place)
    kind = str(error["type"])
    word = place[-1] if place else ""
    if kind == "extra_forbidden" and _SECRETS.fullmatch(str(word).lower()):
        return Problem(key, "a secret does not belong in this file", f'write {word}_file = "PATH"')
    if kind == "extra_forbidden":
        return Problem(
            key, "unknown key" if len(place) > 1 else "unknown section", did_you_mean(str(word), _known(place[:-1]))
        )
    return Problem(key, *_said(kind, place, error))


def _said(kind: str, place: tuple[Any, ...], error: dict[str, Any]) -> tuple[str, str]:
    context = error.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, FieldError):
        return cause.text, cause.hint
    if kind == "missing":
        return "it is missing", f"write [{place[0]}] and its keys" if len(place) == 1 else f"write {place[-1]} = ..."
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        return _channel_kind(context.get("tag"))
    if kind in {"enum", "literal_error"}:
        return _choice(error["input"], str(context.get("expected", "")))
    if kind in {"list_type", "model_type"} and all(isinstance(word, int) for word in place[1:]):
        return _brackets(str(place[0]))
    return _WANTED.get(kind) or (_lower(str(error["msg"])), "")


def _choice(value: Any, expected: str) -> tuple[str, str]:
    choices = re.findall(r"'([^']*)'", expected)
    return f"{_short(value)} is not one of {', '.join(choices)}", did_you_mean(str(value), choices)


def _channel_kind(kind: Any) -> tuple[str, str]:
    there = " and ".join(_KINDS)
    if kind in NOT_AVAILABLE:
        return f'channel kind "{kind}" is not available yet', f"{there} are; take this channel out for now"
    if kind is None:
        return "its kind is missing", f"write kind = ...; {there} are available"
    return f"unknown channel kind {_short(kind)}", did_you_mean(str(kind), _KINDS)


def _brackets(section: str) -> tuple[str, str]:
    if section in names.LISTS:
        return "it is not a list of tables", f"write [[{section}]], with two brackets, above each"
    return "it is not one table", f"write [{section}], with one bracket, above its keys"


def _key(raw: Mapping[str, Any], place: tuple[Any, ...]) -> str:
    words = [f"#{word + 1}" if isinstance(word, int) else str(word) for word in place]
    if len(place) > 1 and isinstance(place[1], int):
        return names.of_item(raw, str(place[0]), place[1], *words[2:])
    return names.section(*words) if words else "the file"


def _known(place: tuple[Any, ...]) -> list[str]:
    """List the keys that belong where `place` leads; none where it leads through a channel of no kind."""
    here: list[type[BaseModel]] = [Config]
    for word in place:
        if isinstance(word, str):
            here = [inner for model in here for inner in _inside(model, word)]
    return [field.alias or name for model in here for name, field in model.model_fields.items()]


def _inside(model: type[BaseModel], key: str) -> Iterator[type[BaseModel]]:
    field = model.model_fields.get(key)
    yield from _models(field.annotation) if field else ()


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _short(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _lower(text: str) -> str:
    text = text.removeprefix("Value error, ").removeprefix("Input ").strip()
    return f"it {text}" if text.startswith("should") else text[:1].lower() + text[1:]
