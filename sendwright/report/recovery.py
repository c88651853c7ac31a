"""What ``sendwright keys recover`` found: for people, and as JSON by the schema of ``docs/json.md``."""

import click

from sendwright.escape import printable
from sendwright.plan import Action
from sendwright.recovering import Recovery
from sendwright.recovery import Found
from sendwright.report.json import document, error_fields
from sendwright.report.text import sign
from sendwright.tls_recovery import FoundTls


def recovery_lines(found: Recovery) -> str:
    """Return what would be written to the state folder, what is left alone, and what a person has to do."""
    lines = [click.style("To be in the state folder again:", bold=True)] if not found.empty else ["nothing to recover"]
    lines += [f"  {sign(Action.CREATE)} {_key(each)}" for each in found.keys]
    lines += [f"  {sign(Action.CREATE)} {_tls(each)}" for each in found.tls]
    if found.lineage:
        lines += [f"  {sign(Action.CREATE)} {found.lineage.now}: this folder goes on from there"]
    notes = found.notes if found.alone or not found.empty else ()
    for title, sentences in (("Left alone:", found.alone), ("Besides:", notes)):
        if sentences:
            lines += ["", click.style(title, bold=True), *(f"  {printable(s)}" for s in sentences)]
    return "\n".join(lines)


def recovery_document(found: Recovery) -> str:
    """Return what came of a recovery as a JSON document."""
    keys = [
        {
            "domain": each.key.domain,
            "selector": each.key.selector,
            "algorithm": each.key.algorithm.value,
            "stage": each.key.stage.value,
            "hosts": list(each.signs_on),
        }
        for each in found.keys
    ]
    return document(
        "keys-recover",
        result=found.result.value,
        keys=keys,
        certificates=[{"host": each.host, "numbers": [c.number for c in each.certificates]} for each in found.tls],
        generation=found.lineage.now.number if found.lineage else None,
        alone=list(found.alone),
        notes=list(found.notes),
        errors=[error_fields(e) for e in found.errors],
    )


def _key(each: Found) -> str:
    where = f" on {', '.join(each.signs_on)}" if each.key.proven_on else ""
    return f"{each.key.algorithm} key {each.key.record_name}: {each.key.stage}{where}"


def _tls(each: FoundTls) -> str:
    many = len(each.certificates)
    return f"TLS key of {each.host} with {'its certificate' if many == 1 else f'{many} certificates'}"
