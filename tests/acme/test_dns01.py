"""Proof by DNS: answers are claimed, written beside what stands, served by all before anybody looks, and withdrawn."""

from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sendwright.acme import records
from sendwright.acme.dns01 import DnsProof
from sendwright.dns.providers.base import Edit, Key, RecordSet
from sendwright.dns.rdata import txt
from sendwright.dns.transport import NoAnswer
from sendwright.errors import NotAllowed, NotShown, ServerUnreachable, WorldMoved
from sendwright.report.progress import Progress
from sendwright.stack import KeyStore
from sendwright.state.folder import StateFolder
from sendwright.state.model import Claim
from tests.acme.proving_world import COM, MX1, NS2, ORG, THEIRS, Nets, challenge, declared
from tests.server53 import Server53

AT = f"_acme-challenge.{MX1}"
ONE, TWO = challenge(MX1, "one"), challenge(MX1, "two")
Proof = Callable[..., DnsProof]


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def nets() -> Nets:
    """Return our zones, empty, and their servers."""
    return Nets()


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """Return an empty state folder."""
    return StateFolder(tmp_path / "state", KeyStore())


@pytest.fixture
def proof(nets: Nets, folder: StateFolder, tmp_path: Path) -> Proof:
    """Return what makes a proof, one a run."""

    def made(server: Server53 | None = None) -> DnsProof:
        return DnsProof(
            *(declared(tmp_path), folder, Progress(held=True)),
            internet=nets.internet,
            opener=lambda *_: server or nets.server,
            patience=timedelta(),
        )

    return made


def _text(which: object) -> str:
    return txt(which.record_text)  # type: ignore[attr-defined]


def test_an_answer_stands_while_the_authority_looks_and_is_gone_afterwards(
    nets: Nets, folder: StateFolder, proof: Proof
) -> None:
    """Neither the zone nor the ledger remembers it; the journal never knew of it."""
    with proof()((ONE,)):
        stood = nets.server.values(COM, AT, "TXT")

    assert stood == (_text(ONE),)
    assert nets.server.held[COM] == {}
    assert folder.claims() == ()
    assert folder.journal.applies() == ()


def test_an_answer_goes_whatever_happened_to_the_order(nets: Nets, folder: StateFolder, proof: Proof) -> None:
    """The authority may refuse it, and a person may break it off."""
    with pytest.raises(KeyboardInterrupt), proof()((ONE,)):
        raise KeyboardInterrupt

    assert nets.server.held[COM] == {}
    assert folder.claims() == ()


def test_two_answers_stand_at_one_name(nets: Nets, proof: Proof) -> None:
    """The authority may ask for two at once, as for a name and its wildcard."""
    with proof()((ONE, TWO)):
        stood = nets.server.values(COM, AT, "TXT")

    assert sorted(stood) == sorted((_text(ONE), _text(TWO)))
    assert nets.server.held[COM] == {}


def test_two_orders_at_the_same_time_leave_each_other_s_answers_alone(nets: Nets, proof: Proof) -> None:
    """What another certificate of this run shows is not what a dead run left."""
    both = proof()

    with both((ONE,)):
        with both((TWO,)):
            inner = nets.server.values(COM, AT, "TXT")
        outer = nets.server.values(COM, AT, "TXT")

    assert sorted(inner) == sorted((_text(ONE), _text(TWO)))
    assert outer == (_text(ONE),)
    assert nets.server.held[COM] == {}


def test_what_others_have_at_the_name_stays_as_it_is(nets: Nets, proof: Proof) -> None:
    """However it is quoted; and their TTL is that of the set."""
    nets.server.put(COM, AT, "TXT", '"somebody" "else"')

    with proof()((ONE,)):
        stood = nets.server.held[COM][AT, "TXT"]

    assert set(stood.values) == {'"somebody" "else"', _text(ONE)}
    assert stood.ttl == 3600
    assert nets.server.values(COM, AT, "TXT") == ('"somebody" "else"',)


def test_an_answer_that_somebody_else_wrote_stays(nets: Nets, folder: StateFolder, proof: Proof) -> None:
    """Ours is what is in the ledger and seen: what stood there before is not claimed by standing there."""
    nets.server.put(COM, AT, "TXT", _text(ONE))

    with proof()((ONE,)):
        claimed = folder.claims()

    assert claimed == ()
    assert nets.server.values(COM, AT, "TXT") == (_text(ONE),)


def test_an_answer_is_in_the_ledger_before_it_is_written(nets: Nets, folder: StateFolder, proof: Proof) -> None:
    """A run that is killed inside apply leaves a ledger that knows what may have been written."""
    seen: list[str] = []

    class Watched(Server53):
        def apply(self, zone: str, edits: object) -> None:
            seen.extend(c.value for c in folder.claims())
            super().apply(zone, edits)  # type: ignore[arg-type]

    with proof(Watched(held=nets.server.held))((ONE,)):
        pass

    assert seen[0] == _text(ONE)


def test_what_a_killed_run_left_is_withdrawn_by_the_next_one(nets: Nets, folder: StateFolder, proof: Proof) -> None:
    """By the ledger; another authority's token, another name of the same zone."""
    _killed(proof, nets, folder)

    with proof()((challenge(f"mta-sts.{COM}"),)):
        stood = nets.server.values(COM, AT, "TXT")

    assert stood == ()
    assert nets.server.held[COM] == {}
    assert folder.claims() == ()


def test_what_a_killed_run_left_is_withdrawn_even_where_nothing_is_ordered_any_more(
    nets: Nets, folder: StateFolder, proof: Proof
) -> None:
    """It may have died after the certificate came; other claims stay."""
    kept = Claim(COM, COM, "TXT", '"v=DMARC1; p=none"', datetime.now(UTC), "main")
    folder.claim([kept])
    _killed(proof, nets, folder)

    proof().clear()

    assert nets.server.held[COM] == {}
    assert folder.claims() == (kept,)


def test_an_order_that_goes_on_after_a_kill_finds_its_answer_and_withdraws_it(
    nets: Nets, folder: StateFolder, proof: Proof
) -> None:
    """The same challenge again: what stands is ours by the ledger."""
    _killed(proof, nets, folder)

    with proof()((ONE,)):
        stood = nets.server.values(COM, AT, "TXT")

    assert stood == (_text(ONE),)
    assert nets.server.held[COM] == {}
    assert folder.claims() == ()


def _killed(proof: Proof, nets: Nets, folder: StateFolder) -> None:
    with suppress(Killed), proof()((ONE,)):
        held, claims = dict(nets.server.held[COM]), folder.claims()
        raise Killed
    nets.server.held[COM] = held
    folder.claim(claims)


def test_a_server_that_is_behind_is_named_and_nothing_is_left(nets: Nets, folder: StateFolder, proof: Proof) -> None:
    """The authority might ask that one, and counts what fails."""
    nets.hold(NS2)

    with (
        pytest.raises(NotShown, match=rf"TXT {AT}: ns2.{COM} \({NS2}\) does not have it yet"),
        proof()((ONE,)),
    ):
        raise AssertionError

    assert nets.server.held[COM] == {}
    assert folder.claims() == ()


def test_a_server_that_is_silent_is_named_and_nothing_is_left(nets: Nets, folder: StateFolder, proof: Proof) -> None:
    """Nobody knows what it serves."""
    nets.silent[NS2] = NoAnswer("no answer within 2 s")

    with pytest.raises(NotShown, match=r"ns2\.example\.com .* does not answer"), proof()((ONE,)):
        raise AssertionError

    assert nets.server.held[COM] == {}
    assert folder.claims() == ()


def test_no_resolver_is_asked_about_an_answer_before_every_server_has_it(nets: Nets, proof: Proof) -> None:
    """It would remember that there is none."""
    nets.hold(NS2)

    with suppress(NotShown), proof()((ONE,)):
        pass

    assert AT not in nets.recursed()


def test_a_zone_that_cannot_be_written_leaves_nothing_in_the_others(
    nets: Nets, folder: StateFolder, proof: Proof
) -> None:
    """All answers are there, or none: the order would fail anyway."""
    nets.server.fails[ORG] = NotAllowed(ORG, "the key is refused.")

    with pytest.raises(NotShown), proof()((ONE, challenge(f"mta-sts.{ORG}"))):
        raise AssertionError

    assert nets.server.held[COM] == {}
    assert folder.claims() == ()


def test_what_may_yet_be_written_stays_in_the_ledger(nets: Nets, folder: StateFolder, proof: Proof) -> None:
    """A server that said nothing may do later what it was asked; the next run looks, and strikes it."""
    nets.server.fails[COM] = ServerUnreachable(COM, "no answer.")
    with pytest.raises(NotShown), proof()((ONE,)):
        raise AssertionError
    left = folder.claims()

    del nets.server.fails[COM]
    nets.server.put(COM, AT, "TXT", _text(ONE))  # so it did
    proof().clear()

    assert [c.value for c in left] == [_text(ONE)]
    assert nets.server.held[COM] == {}
    assert folder.claims() == ()


def test_an_answer_that_cannot_be_withdrawn_fails_no_order(nets: Nets, folder: StateFolder, proof: Proof) -> None:
    """The certificate is there; the ledger knows what is left."""
    with proof()((ONE,)):
        nets.server.fails[COM] = ServerUnreachable(COM, "no answer.")

    assert [c.value for c in folder.claims()] == [_text(ONE)]


def test_who_writes_at_the_same_name_meanwhile_is_not_overwritten(nets: Nets, proof: Proof) -> None:
    """The set is looked at again, and their value stays."""

    class Busy(Server53):
        others = 1

        def apply(self, zone: str, edits: object) -> None:
            if self.others:
                self.others = 0
                self.put(COM, AT, "TXT", '"theirs"')
            super().apply(zone, edits)  # type: ignore[arg-type]

    with proof(Busy(held=nets.server.held))((ONE,)):
        stood = nets.server.values(COM, AT, "TXT")

    assert sorted(stood) == sorted(('"theirs"', _text(ONE)))
    assert nets.server.values(COM, AT, "TXT") == ('"theirs"',)


def test_a_name_at_which_others_never_stop_writing_is_given_up(nets: Nets, folder: StateFolder, proof: Proof) -> None:
    """After a few tries, with nothing left."""

    class Restless(Server53):
        def apply(self, zone: str, _edits: object) -> None:
            raise WorldMoved(zone, "lost race.")

    with pytest.raises(NotShown), proof(Restless(held=nets.server.held))((ONE,)):
        raise AssertionError

    assert folder.claims() == ()


def test_an_alias_is_followed_to_where_the_answer_belongs(nets: Nets, folder: StateFolder, proof: Proof) -> None:
    """In a zone of ours; what is left there by a killed run is found by the ledger."""
    target = f"proofs.{ORG}"
    nets.server.put(COM, AT, "CNAME", f"{target}.")

    with suppress(Killed), proof()((ONE,)):
        stood = nets.server.values(ORG, target, "TXT")
        held, claims = dict(nets.server.held[ORG]), folder.claims()
        raise Killed
    nets.server.held[ORG] = held
    folder.claim(claims)
    proof().clear()

    assert stood == (_text(ONE),)
    assert nets.server.held[ORG] == {}
    assert nets.server.values(COM, AT, "CNAME") == (f"{target}.",)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (f"proofs.{THEIRS}", f"is an alias .CNAME. of proofs.{THEIRS}, and its zone is not ours to write"),
        (f"_acme-challenge.{MX1}", "an alias .CNAME. that leads nowhere"),
    ],
)
def test_an_alias_that_leads_elsewhere_is_refused_before_anything_is_written(
    nets: Nets, folder: StateFolder, proof: Proof, target: str, said: str
) -> None:
    """Out of our zones, or in a circle."""
    nets.server.put(COM, AT, "CNAME", f"{target}.")

    with pytest.raises(NotShown, match=said), proof()((ONE, challenge(f"mta-sts.{ORG}"))):
        raise AssertionError

    assert ORG not in nets.server.held
    assert folder.claims() == ()


def test_a_zone_that_nobody_is_known_to_serve_is_refused_before_anything_is_written(
    nets: Nets, folder: StateFolder, proof: Proof
) -> None:
    """Nobody could ask there."""
    nets.server.keeps = (COM,)

    with pytest.raises(NotShown), proof(Server53())((ONE, challenge(f"mta-sts.{ORG}"))):
        raise AssertionError

    assert folder.claims() == ()


def test_every_name_whose_answer_cannot_be_shown_is_told_at_once(nets: Nets, proof: Proof) -> None:
    """The others can be proven without them: zones that nobody serves, that are kept elsewhere, or that are behind."""
    lost, shown = challenge(f"mta-sts.{ORG}"), ONE

    def refused(**world: object) -> frozenset[str]:
        for name, value in world.items():
            setattr(nets.server, name, value)
        with pytest.raises(NotShown) as caught, proof()((lost, shown)):
            raise AssertionError
        assert nets.server.held.get(COM, {}) == {}
        return caught.value.names

    names = frozenset({lost.name})
    assert refused(foreign=(lost.record_name,)) == names
    assert refused(foreign=(), fails={ORG: NotAllowed(ORG, "the key is refused.")}) == names
    nets.held[NS2] = {COM: "", ORG: ""}
    nets.server.fails = {}
    assert refused() == {lost.name, shown.name}


def test_a_provider_that_is_silent_is_waited_for_once_and_not_once_a_zone(
    nets: Nets, folder: StateFolder, proof: Proof
) -> None:
    """There may be a hundred; neither when answers are to be written, nor when they are to be withdrawn."""
    asked: list[str] = []

    class Silent(Server53):
        says = True

        def read(self, zone: str, wanted: Collection[Key]) -> tuple[RecordSet, ...]:
            asked.append(zone)
            if not self.says:
                raise ServerUnreachable(zone, "no answer within 30 s.")
            return super().read(zone, wanted)

    silent, both = Silent(held=nets.server.held), (ONE, challenge(f"mta-sts.{ORG}"))
    with proof(silent)(both):
        asked.clear()
        silent.says = False
    withdrawn = list(asked)
    asked.clear()

    with pytest.raises(NotShown) as caught, proof(silent)(both):
        raise AssertionError

    assert (len(withdrawn), len(asked)) == (1, 1)
    assert caught.value.names == {each.name for each in both}
    assert len(folder.claims()) == 2


def test_only_answers_of_ours_look_like_answers_in_the_ledger() -> None:
    """Whatever else was written there is left to those who declared it."""
    now = datetime.now(UTC)

    def judged(rdtype: str, value: str, *, mechanism: bool = False) -> bool:
        return records.is_challenge(Claim(COM, COM, rdtype, value, now, "main", mechanism))

    assert judged("TXT", _text(ONE))
    assert not judged("TXT", '"v=DMARC1; p=none"')
    assert not judged("TXT", f'{_text(ONE)[:-1]}="')
    assert not judged("TXT", _text(ONE), mechanism=True)
    assert not judged("CNAME", _text(ONE))


def test_a_set_that_is_as_it_should_be_is_not_written() -> None:
    """Nothing comes, nothing goes."""
    assert records.edits((), {AT: ()}, {AT: (_text(ONE),)}) == ()


def test_a_new_set_is_not_remembered_for_long() -> None:
    """The next answer at that name is another one."""
    (edit,) = records.edits((), {AT: {_text(ONE)}}, {})

    assert isinstance(edit, Edit)
    assert edit.after is not None
    assert edit.after.ttl == 60
