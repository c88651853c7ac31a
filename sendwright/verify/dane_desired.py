"""Whether TLSA records of a declared host are those of its key and of its next one, as the state folder has them."""

from collections.abc import Collection, Iterator

from sendwright import tlsa
from sendwright.stack import AcmeTls, Host
from sendwright.state.model import State
from sendwright.verify.finding import Finding
from sendwright.verify.records.tlsa import parse
from sendwright.verify.rules.dane import DESIRED
from sendwright.verify.target import Server
from sendwright.verify.wording import listed

_PROVISION = "Run `sendwright provision INVENTORY`"


def keys(server: Server) -> tuple[str, ...]:
    """Return the digests of the keys that records should be of: the present one, then the next; none while it waits.

    What a host shows until the authority's certificate is there is promised to nobody.
    """
    if server.host is None or server.state is None:
        return ()
    certificate = server.state.certificate_of(server.host.name)
    if certificate is None or certificate.mode != server.host.tls.mode:
        return ()
    try:
        return tlsa.keys_of((server.host,), server.state)[server.host.name]
    except ValueError:
        return ()  # A damaged one: `tls.as-desired` tells.


def compare(server: Server, port: int, name: str, published: Collection[str]) -> Iterator[Finding]:
    """Compare the records of one port. ``published``: as they are written; ``name``: where."""
    wanted = keys(server)
    if server.host is None or server.state is None or not wanted or port not in server.host.dane:
        return
    said = {_same(value) for value in published}
    missing = [spki for spki in wanted if _same(tlsa.value(spki)) not in said]
    if wanted[0] in missing:
        seen = "no record is about the key that the state folder has for it"
        yield DESIRED.failed(server.subject, seen, f"{_PROVISION}: {_publishes(name, wanted)}.", name)
        return
    strange = sorted(said - {_same(tlsa.value(spki)) for spki in wanted} - _leaving(server.state, name))
    if strange:
        seen = f"{listed((text[:24] + '…' for text in strange), 3)} is about no key that is known here"
        advice = "Remove it, unless another controller wrote it: who has that key can take this server's place."
        yield DESIRED.warned(server.subject, seen, advice, name)
    elif missing:
        seen = "no record is about the next key yet: it cannot be used before senders know it"
        yield DESIRED.warned(server.subject, seen, f"{_PROVISION}: {_publishes(name, missing)}.", name)
    else:
        words = "this key and the next" if len(wanted) > 1 else "the key"
        yield DESIRED.passed(server.subject, f"about {words}, as the state folder has it", name)


def absent(server: Server, host: Host, name: str) -> tuple[str, str]:
    """Return what is to be said of a declared host without any record in a signed zone, and what to do."""
    if not host.dane:
        advice = "Set dane to [25] for the host, then run `sendwright provision INVENTORY`."
        return "none, though its zone is signed; the inventory wants none", advice
    if not (wanted := keys(server)) and isinstance(host.tls, AcmeTls):
        advice = "Run `sendwright provision INVENTORY`: it gets the certificate, or says why not."
        return "none, though its zone is signed: they wait for the authority's certificate", advice
    told = f": {_publishes(name, wanted)}, once the host shows its key" if wanted else ""
    return "none, though its zone is signed", f"{_PROVISION}{told}."


def _publishes(name: str, wanted: Collection[str]) -> str:
    return f"it publishes {name}. IN TLSA {listed(map(tlsa.value, wanted))}"


def _leaving(state: State, name: str) -> set[str]:
    """What is ours and waits out caches, or was only just withdrawn."""
    return {_same(claim.value) for claim in state.claims if (claim.name, claim.type) == (name, "TLSA")}


def _same(text: str) -> str:
    """Return a record as ours are written, whatever its spaces and case are."""
    found = parse(text)
    return f"{found.usage} {found.selector} {found.matching} {found.data.hex()}" if found.data else found.text
