"""The TXT record at ``_mta-sts`` that says that a domain has an MTA-STS policy (RFC 8461 section 3.1). Pure."""

import re
from dataclasses import dataclass

_BLANK = " \t"
# Section 3.1, sts-id and sts-extension. An id with other characters is an extension by the grammar.
_FIELD = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})=([!-:<>-~]+)")
_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_SHOWN = 40


class StsSyntaxError(ValueError):
    """A record or a policy of MTA-STS cannot be parsed; says everything that is wrong with it."""


@dataclass(frozen=True)
class StsRecord:
    """``id``: changes whenever the policy does; ``extensions``: fields that are ignored, in their order."""

    id: str
    extensions: tuple[tuple[str, str], ...] = ()


def is_record(text: str) -> bool:
    """Whether senders take a TXT record for one of MTA-STS: they discard what does not begin like this."""
    return text.startswith("v=STSv1;")


def parse(text: str) -> StsRecord:
    """Return what a record says; raise StsSyntaxError with all mistakes. Of a repeated field the first counts."""
    version, *fields = text.split(";")
    if version.rstrip(_BLANK) != "v=STSv1":
        raise StsSyntaxError(f"it begins with {_shown(version)} instead of v=STSv1;")
    fields = [field.strip(_BLANK) for field in fields]
    if fields and not fields[-1]:
        fields.pop()  # the last semicolon may stay
    found: dict[str, str] = {}
    mistakes = []
    for part in fields:
        field = _FIELD.fullmatch(part)
        if field:
            found.setdefault(field[1], field[2])
        else:
            mistakes.append(_fault(part))
    if "id" not in found:
        if not any(part.startswith("id=") for part in fields):
            mistakes.append("it has no id")
    elif not _ID.fullmatch(found["id"]):
        mistakes.append(f"its id {_shown(found['id'])} is not 1 to 32 letters and digits")
    if mistakes:
        raise StsSyntaxError("; ".join(mistakes))
    return StsRecord(found["id"], tuple(item for item in found.items() if item[0] != "id"))


def _fault(part: str) -> str:
    name, equals, value = part.partition("=")
    if not part:
        return "there is nothing between two semicolons"
    if not equals:
        return f"{_shown(part)} is no field: it has no ="
    if not _NAME.fullmatch(name):
        return f"{_shown(name)} is no field's name: 1 to 32 letters, digits and _ - . without white space"
    if not value:
        return f"the field {_shown(name)} has no value"
    return f"the value of {_shown(name)} holds what it may not: {_shown(value)}"


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
