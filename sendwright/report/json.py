"""Plans and outcomes as JSON, by the schema of ``docs/json.md``; ``version`` grows when a field changes its meaning."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sendwright.errors import SendwrightError
from sendwright.plan import Change, Plan

if TYPE_CHECKING:
    from sendwright.provision import Outcome

VERSION = 1


def plan_document(plan: Plan, errors: Iterable[SendwrightError] = (), kind: str = "plan") -> str:
    """Return a plan as a JSON document; ``errors`` are the hosts and zones that could not be looked at."""
    return _dump({"kind": kind, **plan_fields(plan), "errors": [error_fields(e) for e in errors]})


def outcome_document(outcome: "Outcome", kind: str = "provision") -> str:
    """Return what came of a provision, or of its DNS part, as a JSON document."""
    fields = {"outcome": outcome.result.value, "waiting": list(outcome.waiting), **plan_fields(outcome.plan)}
    return _dump({"kind": kind, **fields, "errors": [error_fields(e) for e in outcome.errors]})


def error_document(error: SendwrightError) -> str:
    """Return why nothing came of a call as a JSON document."""
    return _dump({"kind": "error", "errors": [error_fields(error)]})


def plan_fields(plan: Plan) -> dict[str, Any]:
    """Return the fields of a plan."""
    return {"changes": [change_fields(c) for c in plan.changes], "needed": list(plan.needed), "notes": list(plan.notes)}


def error_fields(error: SendwrightError) -> dict[str, str]:
    """Return the fields of an error."""
    return {"error": type(error).__name__, "what": error.what, "hint": error.hint}


def change_fields(change: Change) -> dict[str, Any]:
    """Return the fields of one change."""
    return {
        "stage": change.stage.name.lower(),
        "kind": change.kind.value,
        "action": change.action.value,
        "subject": change.subject,
        "summary": change.summary,
        "why": change.why,
        "diff": change.diff,
    }


def document(kind: str, **fields: Any) -> str:
    """Return a JSON document of a kind with the schema's version."""
    return _dump({"kind": kind, **fields})


def _dump(fields: dict[str, Any]) -> str:
    return dump({"version": VERSION, **fields})


def dump(fields: dict[str, Any]) -> str:
    """Return fields as JSON that is safe to show on a terminal, without a version: for schemas of others."""
    text = json.dumps(fields, indent=2, ensure_ascii=False)
    if text.replace("\n", "").isprintable():
        return text
    # It may well be read on a terminal, and JSON itself escapes only some of what moves a cursor there.
    return "".join(c if c == "\n" or c.isprintable() else json.dumps(c)[1:-1] for c in text)
