"""pydantic's errors in a person's words: where in the inventory, what is wrong, what is allowed."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin

import annotated_types
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from sendwright.errors import Problem
from sendwright.escape import plain

Place = tuple[str | int, ...]

# A password that somebody wrote into a URL.
_USER = re.compile(r"(?<=://)[^/]*@")

# pydantic's kinds of errors in the words of somebody who writes an inventory.
_SENTENCES = {
    "missing": "is missing",
    "too_short": "is empty",
    "secret": "a secret is named, never written",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "mapping_type": "must be a mapping ({…})",
    "dict_type": "must be a mapping ({…})",
    "model_type": "must be a mapping ({…})",
    "model_attributes_type": "must be a mapping ({…})",
    "string_type": "must be text",
    "bool_type": "must be True or False",
    "bool_parsing": "must be True or False",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
}
_ALLOWED = {
    "too_short": "at least one is needed",
    "secret": 'allowed: {"env": NAME}, {"file": PATH} or {"command": [ARGV…]}',
}


def place(*parts: str | int) -> str:
    """Return a place in the inventory as people read it; positions in lists count from 1."""
    return " › ".join(str(p + 1) if isinstance(p, int) else plain(p) for p in parts)


def nearest(name: str, known: Iterable[str], noun: str = "known") -> str:
    """Return what is allowed instead of an unknown name, the likely one first."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return (f"did you mean {close[0]}? " if close else "") + f"{noun}: {', '.join(map(plain, known)) or 'none'}"


def translate(
    error: ValidationError, model: type[BaseModel], data: object, where: Callable[[Place], Place | None]
) -> list[Problem]:
    """Return one Problem for each mistake that pydantic found in ``data``.

    Values are quoted, so that people find them, but never those of secrets. ``where`` turns a place in the model into
    the place in the inventory that people know, or None for what is not written there.
    """
    found = (_problem(details, model, data, where) for details in error.errors(include_url=False))
    return [problem for problem in found if problem is not None]


def _problem(
    details: ErrorDetails, model: type[BaseModel], data: object, where: Callable[[Place], Place | None]
) -> Problem | None:
    kind, loc, value = details["type"], details["loc"], details["input"]
    at, written = _written(loc, data)
    if kind == "invalid_key":  # pydantic gives its place as text, whatever it is
        shown = where(at[:-1])
        what = "the name of a setting must be text"
        return Problem(place(*shown), f"{plain(str(loc[-1]))}: {what}") if shown is not None else None
    if kind == "too_short" and value:
        return None  # an echo: the list is only "empty" because each of its items has a mistake of its own
    if kind != "missing" and not written:
        return None  # an echo too: a default that was derived from a mistaken setting
    shown = where(at)
    if shown is None:
        return None
    what, allowed = _sentence(kind, details, model, loc)
    secret = any(str(part).endswith("Secret") for part in loc)
    quoted = f"“{plain(_USER.sub('…@', value))}”: " if isinstance(value, str) and kind in _QUOTED and not secret else ""
    return Problem(place(*shown), quoted + what, allowed)


# What tells the models of a union apart.
_TAGGED = ("mode", "provider")
_QUOTED = frozenset({"value_error", "literal_error", "enum", "int_parsing", "bool_parsing"})


def _sentence(kind: str, details: ErrorDetails, model: type[BaseModel], loc: Place) -> tuple[str, str]:
    context = details.get("ctx", {})
    match kind:
        case "extra_forbidden":
            owner = _owner(model, loc)
            return "no such setting", nearest(str(loc[-1]), owner.model_fields.keys() - {"name"}) if owner else ""
        case "literal_error" | "enum":
            return "not allowed", f"allowed: {context['expected']}"
        case "value_error":
            return str(context["error"]), ""
        case "union_tag_invalid" | "union_tag_not_found":
            tag = context["discriminator"].strip("'")
            known = [name for m in _models_of(model, loc) for name in _tags(m, tag)]
            return f"needs a known {tag}", f'allowed: {{"{tag}": …}} with {", ".join(known)}'
        case "greater_than_equal" | "less_than_equal":
            return f"{plain(details['input'])} is out of range", _range(model, loc)
    allowed = _range(model, loc) if kind.startswith("int") else _ALLOWED.get(kind, "")
    return _SENTENCES.get(kind) or plain(details["msg"]), allowed


def _written(loc: Place, data: Any) -> tuple[Place, bool]:
    """Return the place without pydantic's own steps (tags of unions), and whether its end is written in ``data``."""
    found: list[str | int] = []
    for index, part in enumerate(loc):
        items = dict(enumerate(data)) if isinstance(data, list | tuple) else data
        if isinstance(items, Mapping) and part in items:
            data = items[part]
        elif part == "[key]" or isinstance(data, str):  # a word stands for settings: the mistake is the word itself
            break
        elif index == len(loc) - 1:
            return (*found, part), False
        else:
            continue
        found.append(part)
    return tuple(found), True


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _models_of(model: type[BaseModel], loc: Place) -> list[type[BaseModel]]:
    """Return the models that may stand at ``loc``: several where a union is not decided by a tag."""
    found, steps = [model], iter(loc)
    for part in steps:
        if len(found) > 1:  # a union: this step is the tag
            found = [m for m in found if part in (m.__name__, *(tag for name in _TAGGED for tag in _tags(m, name)))]
        elif found and part in found[0].model_fields:
            annotation = found[0].model_fields[str(part)].annotation
            found = [*_models(annotation)]
            if get_origin(annotation) is Mapping:
                next(steps, None)  # the key is a name of the person's choice, and may look like a tag
    return found


def _tags(model: type[BaseModel], name: str) -> tuple[str, ...]:
    return get_args(model.model_fields[name].annotation) if name in model.model_fields else ()


def _owner(model: type[BaseModel], loc: Place) -> type[BaseModel] | None:
    found = _models_of(model, loc[:-1])
    return found[0] if len(found) == 1 else None


def _field(model: type[BaseModel], loc: Place) -> FieldInfo | None:
    owner = _owner(model, loc)
    return owner.model_fields.get(str(loc[-1])) if owner else None


def _range(model: type[BaseModel], loc: Place) -> str:
    field = _field(model, loc)
    low = next((m.ge for m in field.metadata if isinstance(m, annotated_types.Ge)), None) if field else None
    high = next((m.le for m in field.metadata if isinstance(m, annotated_types.Le)), None) if field else None
    return f"allowed: {low} to {high}" if low is not None and high is not None else ""
