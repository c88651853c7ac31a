"""What an answer of DNS comes to that tells nothing, in the same words whatever was asked. Pure."""

from sendwright.verify.finding import Check, Finding, Subject
from sendwright.verify.look import Answer, Told
from sendwright.verify.wording import shown


def unheard(check: Check, subject: Subject, answer: Answer, target: str = "") -> Finding:
    """Return that a bogus answer fails the check that needs it, and that without any answer nothing is known."""
    what = f"{answer.type} of {answer.name}"
    if answer.told is Told.BOGUS:
        seen = f"DNSSEC takes the answer for {what} for forged: {shown(answer.why)}"
        return check.failed(subject, seen, "Mend the zone's signatures: resolvers that validate find nothing.", target)
    return check.unknown(subject, f"{what} could not be looked up: {shown(answer.why)}", target=target)
