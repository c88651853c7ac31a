"""Whether the MTA-STS record and policy of a declared domain are what its hosts are to serve, to the byte."""

from collections.abc import Collection

from sendwright import sts
from sendwright.stack import MtaSts
from sendwright.verify.finding import Finding
from sendwright.verify.look import Fetched
from sendwright.verify.records import sts_record
from sendwright.verify.records.sts_record import StsSyntaxError
from sendwright.verify.rules.mta_sts import DESIRED
from sendwright.verify.target import Target
from sendwright.verify.wording import listed

_PROVISION = "Run `sendwright provision INVENTORY`"
_OK = 200


def declared(target: Target) -> MtaSts | None:
    """Return the policy that an inventory wants for a domain, or None."""
    return sts.declared(target.declared.stack, target.declared.domain) if target.declared else None


def compare(target: Target, texts: Collection[str], fetched: Fetched | None) -> Finding | None:
    """Compare with the inventory; None for a domain that it wants no policy for.

    Arguments: ``texts``: the records that are published; ``fetched``: None where the policy was not asked for.
    """
    wanted = _wanted(target)
    if wanted is None:
        return None
    served = fetched.body if fetched and fetched.status == _OK and not (fetched.cut or fetched.failure) else None
    if served is not None and served != wanted.encode():
        seen = f"the policy that is served is another one: {_difference(wanted, served)}"
        return DESIRED.failed(target.subject, seen, f"{_PROVISION}: it brings the declared one to the hosts.")
    identifier = sts.policy_id(wanted)
    if _ids(texts) != {identifier}:
        seen = "the record has another id than the policy of the inventory: senders do not hear of the change"
        advice = f"{_PROVISION}: it publishes {sts.record_text(identifier)} once every host serves that policy."
        return DESIRED.warned(target.subject, seen, advice)
    if served is None:
        return DESIRED.passed(target.subject, "the record is as declared")
    return DESIRED.passed(target.subject, "record and policy are as declared")


def _wanted(target: Target) -> str | None:
    if target.declared is None:
        return None
    return sts.policy(target.declared.stack, target.declared.domain, target.declared.state.claims)


def _ids(texts: Collection[str]) -> set[str]:
    found = set()
    for text in texts:
        try:
            found.add(sts_record.parse(text).id)
        except StsSyntaxError:
            continue  # `mta-sts.record` tells.
    return found


def _difference(wanted: str, served: bytes) -> str:
    ours, theirs = wanted.splitlines(), served.decode("latin-1").splitlines()
    missing = [f"without {line}" for line in ours if line not in theirs]
    strange = [f"with {line}" for line in theirs if line not in ours]
    return listed([*missing, *strange], 4) or "the same lines in other bytes"
