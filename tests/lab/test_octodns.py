"""A provider of octoDNS that is not ours keeps records on a real server: octoDNS's for BIND, at PowerDNS."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from sendwright.dns.providers.base import Edit, Provider, RecordSet, open_provider
from sendwright.dns.rdata import canonical, txt
from sendwright.errors import DnsError, ServerUnreachable, WorldMoved
from sendwright.lab import Lab
from sendwright.providers import OctoDns, Rfc2136

pytestmark = pytest.mark.lab

ZONE = "example.com"


@pytest.fixture
def inside(lab: Lab) -> Iterator[None]:
    """Be at the controller's place."""
    with lab.inside():
        yield


def _octodns(lab: Lab, folder: Path, secret: str = "", **settings: str | int) -> Provider:
    (folder / "tsig").write_text(secret or lab.tsig_secret)
    given = {"host": lab.primary.address, "key_name": lab.tsig_name, "key_algorithm": lab.tsig_algorithm, **settings}
    config = {
        "provider": "octodns",
        "driver": "octodns_bind.Rfc2136Provider",
        "settings": given,
        "secrets": {"key_secret": {"file": "tsig"}},
    }
    return open_provider(OctoDns.model_validate(config), folder)


@pytest.fixture
def provider(lab: Lab, tmp_path: Path, inside: None) -> Provider:  # noqa: ARG001 - requested for its place
    """Return octoDNS's provider for servers that take updates."""
    return _octodns(lab, tmp_path)


@pytest.fixture
def judge(lab: Lab, tmp_path: Path, inside: None) -> Provider:  # noqa: ARG001 - requested for its place
    """Return our own way to the same server."""
    (tmp_path / "tsig").write_text(lab.tsig_secret)
    tsig = {"name": lab.tsig_name, "secret": {"file": "tsig"}, "algorithm": lab.tsig_algorithm}
    config = {"provider": "rfc2136", "server": lab.primary.address, "tsig": tsig}
    return open_provider(Rfc2136.model_validate(config), tmp_path)


def _told(found: Iterable[RecordSet]) -> set[tuple[str, str, int, str]]:
    """Return what record sets say, however their texts are split."""
    return {(s.name, s.type, s.ttl, canonical(s.type, v)) for s in found for v in s.values}


def test_records_come_and_go_and_others_stay(provider: Provider, judge: Provider) -> None:
    """Each set is read back through either way, long texts, SRV and CAA included; the SPF record beside ours stays."""
    assert provider.zones([f"r9._domainkey.{ZONE}"]) == {f"r9._domainkey.{ZONE}": ZONE}
    key = (ZONE, "TXT")
    (before,) = provider.read(ZONE, [key])
    new = [
        RecordSet(f"r9._domainkey.{ZONE}", "TXT", 3600, (txt("v=DKIM1; p=" + "A" * 700),)),
        RecordSet(f"_submission._tcp.{ZONE}", "SRV", 60, (f"0 1 587 mx1.{ZONE}.",)),
        RecordSet(f"octo.{ZONE}", "CAA", 60, ('0 issue "ca.example.net; policy=ev"',)),
    ]
    more = RecordSet(ZONE, "TXT", before.ttl, (*before.values, '"site; verification"'))

    provider.apply(ZONE, [Edit(ZONE, "TXT", before, more), *(Edit(*s.key, None, s) for s in new)])

    keys = {key, *(s.key for s in new)}
    seen = judge.read(ZONE, keys)
    assert _told(provider.read(ZONE, keys)) == _told(seen) == _told([more, *new])
    edits = [Edit(*s.key, s, before if s.key == key else None) for s in provider.read(ZONE, keys)]
    provider.apply(ZONE, edits)
    assert provider.read(ZONE, keys) == (before,)


def test_what_changed_since_it_was_read_is_refused(provider: Provider, judge: Provider) -> None:
    """The zone is read again just before."""
    name = f"moved.{ZONE}"
    theirs = RecordSet(name, "A", 60, ("203.0.113.1",))
    judge.apply(ZONE, [Edit(name, "A", None, theirs)])

    with pytest.raises(WorldMoved):
        provider.apply(ZONE, [Edit(name, "A", None, RecordSet(name, "A", 60, ("203.0.113.2",)))])

    assert judge.read(ZONE, [(name, "A")]) == (theirs,)
    judge.apply(ZONE, [Edit(name, "A", theirs, None)])


def test_a_wrong_key_and_a_dead_server_are_sentences_without_the_key(
    lab: Lab,
    tmp_path: Path,
    inside: None,  # noqa: ARG001 - requested for its place
) -> None:
    """The words are octoDNS's, the zone and the provider are named."""
    wrong = "d3Jvbmd3cm9uZ3dyb25nd3Jvbmd3cm9uZw=="

    with pytest.raises(DnsError, match=rf"zone {ZONE}: octoDNS") as caught:
        _octodns(lab, tmp_path, wrong).read(ZONE, ())
    assert wrong not in str(caught.value)
    with pytest.raises((DnsError, ServerUnreachable), match=rf"zone {ZONE}: octoDNS"):
        _octodns(lab, tmp_path, port=9).read(ZONE, ())
