"""The DNS verbs without hosts: what they may write, what they leave to provision, and what they never start."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.flags
import dns.message
import dns.rrset
import pytest

from sendwright import dns_run, inventory, issuing, saved
from sendwright.dns.plan import Create
from sendwright.dns.providers.zonefile import MasterFiles
from sendwright.dns.transport import Question
from sendwright.errors import ForeignRecord, PlanMoved, StateError, UsageError
from sendwright.inventory import Inventory
from sendwright.plan import Plan, Stage
from sendwright.provision import Outcome, Result, Settings
from sendwright.publication import Internet, Publication
from sendwright.report.progress import Progress
from sendwright.saved import SavedPlan
from sendwright.state.folder import StateFolder
from sendwright.state.model import KeyStage

COM, MX1 = "example.com", "mx1.example.com"
INVENTORY = 'senders = [("mx1.example.com", {"egress": [{"public": "203.0.113.10"}]})]\n'
SHARED = """
dns = {"main": {"provider": "zonefile", "folder": "zones", "margin": 0}}
domains = {"example.com": {"dns": "main", "dmarc": {"policy": "reject"}, "spf": {"all": "-all"}}}
key_store = {"unencrypted": "I know that anybody who reads this folder can sign as us", "push": ["true"]}
"""
ZONE = """\
example.com.     3600 IN SOA ns.example.com. me.example.com. 2026010100 3600 600 86400 300
example.com.     3600 IN NS  ns.example.com.
ns.example.com.  3600 IN A   192.0.2.53
"""
NO_WAIT = Settings(wait=False)


@dataclass
class Served:
    """A name server, and a resolver, that answer what stands in the zone's file at that moment."""

    folder: Path

    def __call__(self, question: Question) -> dns.message.Message:
        """Answer one question."""
        answer = dns.message.make_response(dns.message.make_query(question.name, question.type))
        answer.flags |= dns.flags.AA
        found = MasterFiles(self.folder, 0).read(COM, {(question.name, question.type)})
        answer.answer = [dns.rrset.from_text(s.name + ".", s.ttl, "IN", s.type, *s.values) for s in found]
        return answer


@pytest.fixture
def declared(written: Callable[[str, str, str], Inventory]) -> Inventory:
    """Return an inventory whose zone is a file."""
    return written(INVENTORY, SHARED, ZONE)


def _internet(declared: Inventory) -> Internet:
    return Internet(Served(declared.folder / "zones"), lambda: "127.0.0.1")


def _plan(declared: Inventory) -> Outcome:
    return dns_run.look_ahead(declared, NO_WAIT, Progress(), None, _internet(declared))


def _apply(declared: Inventory, approved: SavedPlan | None = None) -> Outcome:
    def approve(_: Plan) -> bool:
        return True

    return dns_run.apply(declared, NO_WAIT, Progress(), approve, approved, _internet(declared))


def _values(declared: Inventory, name: str, rdtype: str) -> tuple[str, ...]:
    found = MasterFiles(declared.folder / "zones", 0).read(COM, {(name, rdtype)})
    return found[0].values if found else ()


def _signing(declared: Inventory, *hosts: str) -> None:
    folder = StateFolder.of(declared)
    for key in folder.load().keys:
        folder.save_key(replace(key, stage=KeyStage.SIGNING, proven_on=hosts))


def _redeclared(declared: Inventory, old: str, new: str, file: str = "group_data/all.py") -> Inventory:
    path = declared.folder / file
    path.write_text(path.read_text().replace(old, new))
    return inventory.load(declared.folder)


def _stages(outcome: Outcome) -> set[Stage]:
    return {c.stage for c in outcome.plan.changes}


def _said(lines: Iterable[str], *words: str) -> bool:
    return any(all(word in line for word in words) for line in lines)


def test_a_plan_touches_nothing_and_names_what_waits_for_the_hosts(declared: Inventory) -> None:
    """MX, SRV and what tightens are told with what they wait for, not planned."""
    outcome = _plan(declared)

    assert not declared.state_dir.exists()
    assert _stages(outcome) == {Stage.PERSIST, Stage.EXPAND}
    for words in ((f"MX {COM}", "takes mail"), ("TXT _dmarc", "leaves signed"), ("SRV", "leaves signed")):
        assert _said(outcome.plan.notes, "after `sendwright provision`", *words)


def test_an_apply_publishes_new_keys_and_leaves_what_points_and_tightens(declared: Inventory) -> None:
    """Keys are in the state folder, their records and SPF in the zone, with a verdict that refuses nothing yet."""
    outcome = _apply(declared)

    keys = StateFolder.of(declared).load().keys
    assert outcome.result is Result.WAITING, outcome.errors
    assert {k.stage for k in keys} == {KeyStage.PUBLISHED}
    assert all(_values(declared, k.record_name, "TXT") for k in keys)
    assert _values(declared, COM, "TXT") == ('"v=spf1 ip4:203.0.113.10 ~all"',)
    assert _values(declared, COM, "MX") == ()
    assert _said(outcome.waiting, "caches may hold")


def test_a_key_that_nothing_makes_durable_is_left_to_provision(declared: Inventory) -> None:
    """No host is looked at, so none is known to hold a copy: said before and after, planned and existing alike."""
    alone = _redeclared(declared, ', "push": ["true"]', "")
    words = ("TXT r", "after `sendwright provision`", "a host of its domain holds a copy")

    planned = _plan(alone)
    outcome = _apply(alone)
    again = _plan(alone)

    keys = StateFolder.of(alone).load().keys
    assert _said(planned.plan.notes, *words)
    assert not any("_domainkey" in c.summary for c in planned.plan.changes)
    assert {k.stage for k in keys} == {KeyStage.GENERATED}
    assert not any(_values(alone, k.record_name, "TXT") for k in keys)
    assert outcome.result is Result.WAITING, outcome.errors
    assert _said(outcome.waiting, "TXT r", "until a host of its domain holds a copy of the key")
    assert _said(again.plan.notes, *words)


def test_no_new_key_is_published_before_the_state_folder_was_pushed(declared: Inventory) -> None:
    """A push that fails ends the run before anything is written; it is tried again for keys that are not new."""
    failing = _redeclared(declared, '["true"]', '["false"]')

    with pytest.raises(StateError, match=r"the command false of .* failed with status 1"):
        _apply(failing)
    (key, *_) = StateFolder.of(declared).load().keys
    with pytest.raises(StateError):
        _apply(failing)
    unwritten = _values(declared, key.record_name, "TXT"), _values(declared, COM, "TXT")
    healed = _apply(_redeclared(failing, '["false"]', '["true"]'))

    assert unwritten == ((), ())
    assert not healed.errors
    assert _values(declared, key.record_name, "TXT")


def test_another_key_at_a_selector_is_refused_and_stays(declared: Inventory) -> None:
    """Its record stays byte for byte, the sentence names it, and the key is no more published than before."""
    issuing.generate_missing(declared.stack, StateFolder.of(declared), datetime.now(UTC))
    (key, other) = StateFolder.of(declared).load().keys
    file = declared.folder / "zones" / "example.com.zone"
    file.write_text(file.read_text() + f'{key.record_name}. 60 IN TXT "v=DKIM1; k=rsa; p=AAAA"\n')

    outcome = _apply(declared)

    (error,) = outcome.errors
    assert isinstance(error, ForeignRecord)
    assert f'{key.record_name} has TXT "v=DKIM1; k=rsa; p=AAAA", which is somebody else\'s' in error.what
    assert f"Only one key may be at {key.record_name}" in error.hint
    assert _values(declared, key.record_name, "TXT") == ('"v=DKIM1; k=rsa; p=AAAA"',)
    assert [k.stage for k in StateFolder.of(declared).load().keys] == [KeyStage.GENERATED, KeyStage.PUBLISHED]
    assert _values(declared, other.record_name, "TXT")


def test_what_a_run_remembered_is_pushed_at_its_end(declared: Inventory) -> None:
    """A push that fails then is an error of the run, and all that was done is told."""
    pushes = declared.folder / "pushes"
    script = "echo >> pushes; test $(wc -l < pushes) -lt 2"
    counted = _redeclared(declared, '["true"]', repr(["sh", "-c", script]))

    failed = _apply(counted)
    healed = _plan(counted), _apply(_redeclared(counted, "-lt 2", "-ge 3"))

    assert failed.result is Result.FAILED
    assert [type(error) for error in failed.errors] == [StateError]
    assert not healed[1].errors
    assert len(pushes.read_text().splitlines()) >= 3


def test_what_is_proven_by_then_lets_mx_and_policies_come(declared: Inventory) -> None:
    """The state folder remembers which hosts sign; nobody has to look at them again."""
    _apply(declared)
    _signing(declared, MX1)

    outcome = _apply(declared)

    assert not outcome.errors
    assert _values(declared, COM, "MX") == (f"10 {MX1}.",)
    assert _values(declared, COM, "TXT") == ('"v=spf1 ip4:203.0.113.10 -all"',)
    assert "p=reject" in _values(declared, f"_dmarc.{COM}", "TXT")[0]
    assert _plan(declared).result is Result.UNCHANGED


def test_a_policy_waits_for_every_host_and_mx_for_its_own(declared: Inventory) -> None:
    """Of two hosts one has proven itself."""
    two = _redeclared(
        declared, "})]", '}), ("mx2.example.com", {"egress": [{"public": "203.0.113.11"}]})]', "inventory.py"
    )
    _apply(two)
    _signing(two, MX1)

    _apply(two)

    assert _values(two, COM, "MX") == (f"10 {MX1}.",)
    assert _values(two, COM, "TXT")[0].endswith('~all"')


def test_no_clock_is_started_and_no_address_of_a_host_withdrawn(declared: Inventory) -> None:
    """Whether a host still uses its old address is seen on the host."""
    _apply(declared)
    _signing(declared, MX1)
    _apply(declared)
    moved = _redeclared(declared, "203.0.113.10", "203.0.113.20", "inventory.py")

    outcome = _apply(moved)

    assert set(_values(moved, MX1, "A")) == {"203.0.113.10", "203.0.113.20"}
    assert "ip4:203.0.113.10" in _values(moved, COM, "TXT")[0]
    assert {c.left for c in StateFolder.of(moved).load().claims} == {None}
    assert _said(outcome.plan.notes, f"A {MX1}", "sees what the host uses")


def test_a_saved_plan_is_carried_out_exactly_or_refused(declared: Inventory, tmp_path: Path) -> None:
    """As for provision, and neither verb takes the other's."""
    path = tmp_path / "plan.json"
    dns_run.look_ahead(declared, NO_WAIT, Progress(), path, _internet(declared))
    plan = saved.read(path)
    zone = declared.folder / "zones" / "example.com.zone"

    with pytest.raises(UsageError, match="sendwright dns apply"):
        saved.refuse_other(plan, "provision", declared.stack, plan.made)
    zone.write_text(ZONE + 'example.com. 60 IN TXT "v=spf1 include:x.example -all"\n')
    with pytest.raises(PlanMoved):
        _apply(declared, plan)
    assert StateFolder.of(declared).load().keys == ()

    zone.write_text(ZONE)
    assert _apply(declared, plan).result is Result.WAITING
    assert _values(declared, COM, "TXT") == ('"v=spf1 ip4:203.0.113.10 ~all"',)


def test_an_adoption_claims_and_writes_nothing(declared: Inventory) -> None:
    """What stands as declared is ours from then on, once somebody agrees; the zone is as it was."""
    zone = declared.folder / "zones" / "example.com.zone"
    zone.write_text(ZONE + f'{MX1}. 60 IN A 203.0.113.10\n_dmarc.{COM}. 60 IN TXT "v=DMARC1; p=none"\n')
    before = zone.read_bytes()

    declined = dns_run.adopt(declared, Progress(), lambda _: False)
    assert (declined.result, StateFolder.of(declared).load().claims) == (Result.DECLINED, ())
    done = dns_run.adopt(declared, Progress(), lambda _: True)

    assert done.result is Result.DONE
    claims = StateFolder.of(declared).load().claims
    assert {(c.name, c.type) for c in claims} == {(MX1, "A"), (f"_dmarc.{COM}", "TXT")}
    assert zone.read_bytes() == before
    assert dns_run.adopt(declared, Progress(), lambda _: True).result is Result.UNCHANGED


def _run(*argv: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "sendwright", "dns", *map(str, argv)]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60)


def test_the_commands_ask_and_print_documents(declared: Inventory) -> None:
    """Without a terminal nothing happens unasked; JSON is one document."""
    zone = declared.folder / "zones" / "example.com.zone"
    zone.write_text(ZONE + f"{MX1}. 60 IN A 203.0.113.10\n")

    asked = _run("adopt", declared.folder)
    told = json.loads(_run("adopt", declared.folder, "--yes", "--format", "json").stdout)
    missing = _run("apply", declared.folder, "--plan", declared.folder / "absent.json", "--format", "json")

    assert asked.returncode == 2
    assert f"+ A {MX1} 203.0.113.10" in asked.stdout
    assert (told["kind"], told["result"], told["claims"][0]["name"]) == ("dns-adopt", "done", MX1)
    assert (missing.returncode, json.loads(missing.stdout)["kind"]) == (2, "error")


def test_what_runs_out_after_a_plan_was_made_waits_for_the_next_one(declared: Inventory) -> None:
    """A saved plan is the same on a later day: nobody was shown the withdrawal that is due by then."""
    _apply(declared)
    shorter = _redeclared(declared, '"203.0.113.10"}', '"203.0.113.20"}', "inventory.py")
    folder = StateFolder.of(shorter)
    made = datetime.now(UTC)
    keep = timedelta(days=shorter.stack.smtp.queue_days + shorter.stack.smtp.bounce_days)
    old = [c for c in folder.load().claims if c.value == "ip4:203.0.113.10"]
    folder.mark(replace(c, left=made - keep + timedelta(hours=1)) for c in old)

    def drops(at: datetime) -> set[str]:
        publication = Publication(shorter, folder, Progress(), at, internet=_internet(shorter))
        publication.look(folder.load().keys)
        writes = publication.zones.found[COM].changes.at(Stage.CONTRACT).writes
        return {term for w in writes if not isinstance(w, Create) for term in w.drops}

    assert drops(made) == set()
    assert drops(made + timedelta(hours=2)) == {"ip4:203.0.113.10"}
