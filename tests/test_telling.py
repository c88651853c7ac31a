"""What servers tell of the keys of hosts whose zones somebody else keeps."""

from datetime import UTC, datetime
from pathlib import Path

import dns.flags
import dns.message
import dns.rrset
import pytest

from sendwright.dns.transport import NoAnswer, Question
from sendwright.inventory import Inventory
from sendwright.publishing import Zones
from sendwright.stack import Stack
from sendwright.state.folder import StateFolder
from sendwright.telling import Telling

HOST, ZONE, KEY = "mx1.owner.example", "owner.example", "a" * 64
NONE = frozenset[str]()


class Owner:
    """A resolver and the name server of somebody else's zone; ``told``: at port 25 of the host."""

    def __init__(self, told: str, *, silent: bool = False) -> None:
        self._silent = silent
        self._there = {(ZONE, "NS"): f"ns.{ZONE}.", (f"ns.{ZONE}", "A"): "192.0.2.53"}
        if told:
            self._there[f"_25._tcp.{HOST}", "TLSA"] = f"3 1 1 {told}"

    def __call__(self, question: Question) -> dns.message.Message:
        """Answer one question."""
        if self._silent and not question.recurse:
            raise NoAnswer("timed out")
        answer = dns.message.make_response(dns.message.make_query(question.name, question.type))
        answer.flags |= dns.flags.AA
        if found := self._there.get((question.name, question.type)):
            answer.answer = [dns.rrset.from_text(f"{question.name}.", 300, "IN", question.type, found)]
        else:
            soa = f"ns.{ZONE}. me.{ZONE}. 1 3600 600 86400 60"
            answer.authority = [dns.rrset.from_text(f"{ZONE}.", 300, "IN", "SOA", soa)]
        return answer


@pytest.mark.parametrize(
    ("owner", "told", "served"),
    [
        (Owner(""), False, frozenset()),
        (Owner(KEY), True, frozenset({KEY})),
        (Owner("", silent=True), True, frozenset()),
    ],
    ids=["nothing stands there", "the owner tells of a key", "its server is silent"],
)
def test_what_owners_of_zones_tell_of_a_host_is_asked_of_their_servers(
    tmp_path: Path, owner: Owner, served: frozenset[str], *, told: bool
) -> None:
    """Its key could never change otherwise, not even one that leaked."""
    host = {"name": HOST, "ssh": {"hostname": HOST}, "egress": [{"public": "203.0.113.10"}], "tls": "acme"}
    stack = Stack.model_validate({"hosts": [host], "domains": [{"name": "example.com", "dns": None}]})
    folder = StateFolder.of(Inventory(stack=stack, folder=tmp_path, state_dir=tmp_path / "state"))

    known = Telling(stack, folder, datetime.now(UTC), owner, "127.0.0.1").known(HOST, Zones())

    assert (known.told, known.served) == (told, served)
