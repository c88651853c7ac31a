"""What ``sendwright dns adopt`` makes ours: for people, and as JSON by the schema of ``docs/json.md``."""

import click

from sendwright.dns.rdata import short
from sendwright.dns_run import Adoption
from sendwright.escape import printable
from sendwright.plan import Action
from sendwright.report.json import document, error_fields
from sendwright.report.text import sign


def adoption_lines(adoption: Adoption) -> str:
    """Return what would become ours, a line each."""
    if not adoption.claims:
        return "nothing stands that is declared and not ours"
    lines = [click.style("To be ours from now on", bold=True) + ", to change and to withdraw:"]
    for claim in adoption.claims:
        term = "the SPF term " if claim.mechanism else ""
        lines += [f"  {sign(Action.CREATE)} {claim.type} {printable(claim.name)} {term}{printable(short(claim.value))}"]
    return "\n".join(lines)


def adoption_document(adoption: Adoption) -> str:
    """Return what came of an adoption as a JSON document."""
    claims = [
        {"zone": c.zone, "name": c.name, "type": c.type, "value": c.value, "mechanism": c.mechanism}
        for c in adoption.claims
    ]
    errors = [error_fields(e) for e in adoption.errors]
    return document("dns-adopt", result=adoption.result, claims=claims, errors=errors)
