"""The certificates of a run: what has to be ordered, what is made ahead, what hosts show, and when keys may change.

``provision`` and ``certs renew`` go through the same steps in the same order; see ``certifying`` for one host's.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from sendwright import certifying, host_renewals, issuing, planning, presented, renewal, sts, tlsa
from sendwright.acme import directories
from sendwright.acme.authority import Authority
from sendwright.acme.dns01 import DnsProof
from sendwright.acme.http01 import HttpProof
from sendwright.acme.proof import both
from sendwright.certifying import NOTHING, Asked, Certifier
from sendwright.connections import Fleet
from sendwright.dns.plan import Write
from sendwright.errors import PreflightFailed, SendwrightError
from sendwright.inventory import Inventory
from sendwright.observation import Observation
from sendwright.pointing import shows
from sendwright.presented import Shown
from sendwright.publication import Publication
from sendwright.renewing import Done
from sendwright.report.progress import Progress
from sendwright.stack import AcmeTls, Host, InternalCa, SelfSigned
from sendwright.state.folder import StateFolder
from sendwright.state.model import Certificate, State


class TlsStage:
    """One way through the certificates of a run's hosts. ``orders``: why certificates have to be ordered, by host.

    ``begin`` is called before anything is written.

    ``errors``: what could not be had; ``done``: what came of each certificate; ``shown``: what hosts were seen to show.
    """

    def __init__(
        self,
        declared: Inventory,
        folder: StateFolder,
        fleet: Fleet,
        dns: Publication,
        progress: Progress,
        asked: Asked = NOTHING,
        begin: Callable[[], None] = lambda: None,
    ) -> None:
        self.orders: Mapping[str, tuple[str, ...]] = {}
        self.errors: tuple[SendwrightError, ...] = ()
        self.done: tuple[Done, ...] = ()
        self.shown = Shown()
        self._declared = declared
        self._stack = declared.stack
        self._folder = folder
        self._fleet = fleet
        self._dns = dns
        self._progress = progress
        self._asked = asked
        self._begin = begin
        self._renewed: tuple[Certificate, ...] = ()

    def plan(self, hosts: Iterable[str], state: State, now: datetime) -> None:
        """Decide what has to be ordered, as far as what is remembered tells."""
        url = directories.url(self._stack.acme)
        told = {c.name for c in state.claims if c.type == "TLSA" and not c.withdrawn}
        found = {}
        for host in map(self._stack.host, hosts):
            stands = any(tlsa.name(host.name, port) in told for port in host.dane)
            reasons = (why for _, why in certifying.pending(self._stack, state, host, url, now, stands, self._asked))
            found[host.name] = tuple(dict.fromkeys(reasons))
        self.orders = {name: reasons for name, reasons in found.items() if reasons}

    def refuse_strangers(self, seen: Mapping[str, Observation], state: State) -> None:
        """Give up each living host of whose keys senders are told, and that the folder has no certificate of.

        The folder was lost, or the host is somebody else's work yet: a new key would stop all mail of senders that
        enforce DANE.
        """
        for name, found in seen.items():
            host = self._stack.host(name)
            living = (found.managed or host.adopt) and state.certificate_of(name) is None
            if living and host.tls.mode != "file" and self._dns.tlsa_known(name).served:
                what = "TLSA records tell of its key, which is not in the state folder; nothing was changed."
                hint = "Restore state/tls, or run `sendwright keys recover`, which takes the key back from the host."
                if not found.managed:
                    hint = "Withdraw these records, and run again when caches have forgotten them."
                self._fleet.give_up(name, PreflightFailed(name, what, hint))

    def renewed_by_hosts(self, seen: Mapping[str, Observation], state: State) -> State:
        """Return the state with what hosts have renewed by themselves; ``persist`` keeps it."""
        self._renewed = host_renewals.taken_over(self._stack, state, seen, self._fleet)
        return host_renewals.with_certificates(state, self._renewed)

    def declared_chains(self) -> dict[str, str]:
        """Return the chains in declared files, by host; a host whose file cannot be read is given up."""
        found = {}
        for name in self._fleet.well:
            with self._fleet.fate_of(name):
                if chain := issuing.declared_chain(self._stack.host(name), self._declared.folder):
                    found[name] = chain
        return found

    def renew_own(self, hosts: Iterable[str], now: datetime) -> None:
        """Renew what no authority is asked for: what we sign ourselves, what is declared in files, the first of all."""
        own = [self._stack.host(name) for name in hosts]
        due = planning.certificates_due(own, self._remembered(), self.declared_chains(), now)
        for host in own:
            why = due.get(host.name) or ("somebody asked for it" if self._asked.force and _ours(host) else "")
            with self._fleet.fate_of(host.name):
                if why:
                    self._begin()
                    issuing.renew_certificate(host, self._folder, self._declared.folder, now)
                if not isinstance(host.tls, AcmeTls):
                    self.done += (Done(host.name, 0, "renewed" if why else "kept", why),)

    def persist(self, hosts: Iterable[str], now: datetime) -> None:
        """Keep what hosts have renewed, and make the keys ahead that senders are to be told of."""
        for certificate in self._renewed:
            self._begin()
            self._folder.save_certificate(certificate)
        state = self._folder.load()
        for host in map(self._stack.host, hosts):
            if planning.lacks_next_key(host, state):
                with self._fleet.fate_of(host.name):
                    self._begin()
                    issuing.make_next(host, self._folder, now)

    def announced(self) -> frozenset[str]:
        """Return the names of records that a plan could not show, because they follow from what is ordered."""
        return frozenset(tlsa.name(host.name, port) for host in self._stack.hosts for port in host.dane)

    def obtain(self, hosts: Iterable[str]) -> tuple[str, ...]:
        """Order what hosts lack; return what is waited for."""
        by_dns = DnsProof(self._declared, self._folder, self._progress, internet=self._dns.internet)
        by_dns.clear()
        prove = both(by_dns, HttpProof(self._fleet, self._stack, self._progress))
        certifier = Certifier(
            *(self._declared, self._folder, self._dns, self._progress, self._authority, prove),
            *(self._asked, self._begin),
        )
        try:
            certifier.obtain(hosts)
        finally:
            self.errors += tuple(certifier.errors)
            self.done += tuple(certifier.done)
        return tuple(certifier.waiting)

    def look(self, hosts: Collection[str]) -> tuple[str, ...]:
        """See what hosts show to the world by now; return what does not show what it should."""
        # Records are derived from the same: another policy would be told of than the one that was seen.
        state = self._remembered()
        concerned = [name for name in hosts if self._concerns(self._stack.host(name))]
        if concerned:
            with self._progress.step("hosts show their certificates", lambda: bool(self.shown.faults)):
                self.shown = presented.look(self._stack, state, concerned, self._fleet, presented.eyes(self._trust))
        return self.shown.faults

    def allows(self, write: Write) -> bool:
        """Return whether what a write tells senders of TLS was seen to be so."""
        return shows(write, self.shown.hosts, self.shown.policies)

    def remember_fresh(self) -> None:
        """Remember from when the keys that were made ahead may be used: every server has their records by now."""
        for coming in self._folder.next_keys():
            if coming.host not in self._fleet.well:
                continue
            known = self._dns.tlsa_known(coming.host)
            # The time comes after the look: a machine that sleeps in between would count from before it was served.
            after = renewal.watched(coming, known, self._dns.tlsa_fresh_at(coming.host, datetime.now(UTC)))
            if after != coming:
                self._begin()
                self._folder.save_next_key(after, None)

    def _remembered(self) -> State:
        """Return what the folder holds without what caches have forgotten: that is struck once anything is written."""
        state, gone = self._folder.load(), self._dns.zones.gone
        return replace(state, claims=tuple(claim for claim in state.claims if claim not in gone))

    @property
    def _trust(self) -> Path | None:
        trust = self._stack.acme.trust
        return self._declared.folder / Path(trust).expanduser() if trust else None

    @property
    def _authority_url(self) -> str:
        return directories.url(self._stack.acme)

    @cached_property
    def _authority(self) -> Authority:
        return Authority.of(self._declared, self._folder, self._progress.note)

    def _concerns(self, host: Host) -> bool:
        return bool(host.dane) or bool(sts.domains(self._stack, host))


def _ours(host: Host) -> bool:
    return isinstance(host.tls, SelfSigned | InternalCa)
