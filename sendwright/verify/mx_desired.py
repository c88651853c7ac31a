"""Whether the MX of a declared domain is what the inventory says. Pure."""

from collections.abc import Iterator, Sequence

from sendwright.stack import Mx, Stack
from sendwright.verify.finding import Finding
from sendwright.verify.records.mx_record import Exchange, exchange
from sendwright.verify.remedy import publish, wanted
from sendwright.verify.rules.mx import DESIRED
from sendwright.verify.target import Target
from sendwright.verify.wording import listed


def compare(target: Target, found: Sequence[Exchange]) -> Iterator[Finding]:
    """Compare MX records with the inventory: here, elsewhere or none."""
    if target.declared is not None:
        elsewhere = target.declared.domain.mx is Mx.ELSEWHERE
        yield _elsewhere(target, target.declared.stack, found) if elsewhere else _exactly(target, found)


def _exactly(target: Target, found: Sequence[Exchange]) -> Finding:
    desired = {exchange(value) for value in wanted(target, "MX")}
    names = {each.name for each in found}
    missing = sorted(each for each in desired if each.name not in names)
    foreign = sorted(each for each in found if each.name not in {d.name for d in desired})
    advice = publish(target, "MX", "Declare where its mail goes.")
    if _kept(target, foreign):
        # The plan refuses to go on until somebody has decided.
        advice = (
            f"Remove {listed(foreign)}, or set replace_mx to True for the domain; then: {advice} To leave its mail "
            "there instead, set mx to 'elsewhere', or leave mx out if it sends nothing."
        )
    if missing:
        # Without any MX nothing goes astray that a null MX would have kept.
        judge = DESIRED.failed if found or not missing[0].null else DESIRED.warned
        return judge(target.subject, f"Missing: {listed(missing)}{_beside(foreign)}.", advice)
    if foreign:
        strange = f"Not of the inventory: {listed(foreign)}."
        advice = "Remove it, or set replace_mx to True for the domain and run `sendwright provision INVENTORY`."
        # A null MX of the inventory says that no mail is taken: another takes it.
        null = any(each.null for each in desired)
        return (DESIRED.failed if null else DESIRED.warned)(target.subject, strange, advice)
    if set(found) != desired:
        seen = f"{listed(found)} instead of {listed(sorted(desired))}."
        return DESIRED.warned(target.subject, seen, f"Make the preferences those of the inventory. {advice}")
    return DESIRED.passed(target.subject, f"{listed(found)}." if found else "None, as declared.")


def _kept(target: Target, foreign: Sequence[Exchange]) -> bool:
    """Return whether the inventory lets somebody else's MX stand where it wants its own."""
    if target.declared is None or target.declared.domain.dns is None or target.declared.domain.replace_mx:
        return False
    claims = (c for c in target.declared.state.claims if (c.name, c.type) == (target.domain, "MX"))
    ours = {exchange(claim.value).name for claim in claims}
    return any(each.name not in ours for each in foreign)


def _beside(foreign: Sequence[Exchange]) -> str:
    return f"; instead there is {listed(foreign)}" if foreign else ""


def _elsewhere(target: Target, stack: Stack, found: Sequence[Exchange]) -> Finding:
    ours = {host.name for host in stack.hosts} - {target.domain}
    taken = [each for each in found if each.name in ours]
    if not taken:
        return DESIRED.passed(target.subject, f"Elsewhere, as the inventory says: {listed(found) or 'no MX'}.")
    seen = f"{listed(taken)} leads to a host of the inventory, which says that mail goes elsewhere."
    advice = "Set mx to 'here' for the domain, or remove the record: the host refuses its mail."
    return DESIRED.failed(target.subject, seen, advice)
