"""The DNS side of a run: its zones, looked at before each stage, what is written in it, and what that waits for."""

from collections.abc import Callable, Collection, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sendwright import awaiting, delegation, owners, policy_known, proving, renewal, spf_limits, sts, tlsa
from sendwright.dns import consents, propagation
from sendwright.dns.freshness import Progress as Freshness
from sendwright.dns.freshness import Target, Timing, Waiting
from sendwright.dns.plan import Create, Write
from sendwright.dns.propagation import World
from sendwright.dns.slots import slot
from sendwright.dns.spf_lookup import through
from sendwright.dns.tls_records import names as tlsa_names
from sendwright.dns.tls_records import record_name
from sendwright.dns.transport import Ask, query, system_resolver
from sendwright.errors import ForeignRecord
from sendwright.inventory import Inventory
from sendwright.plan import Stage
from sendwright.pointing import exchange, only_known_keys, without_known_keys
from sendwright.publishing import Zones
from sendwright.renewal import Known
from sendwright.report.progress import Progress
from sendwright.state.folder import StateFolder
from sendwright.state.model import DkimKey, State
from sendwright.telling import Telling


@dataclass(frozen=True)
class Internet:
    """How everybody else's view of DNS is got: ``ask`` any server; ``resolver``: the address of this machine's own."""

    ask: Ask = query
    resolver: Callable[[], str] = system_resolver


INTERNET = Internet()


class Publication:
    """One way through the stages of DNS. ``zones``: as they were last looked at, with the errors of the whole run.

    ``made``: the time of the plan. What runs out after it waits for the next one: nobody was shown that.
    """

    def __init__(
        self,
        declared: Inventory,
        folder: StateFolder,
        progress: Progress,
        made: datetime,
        *,
        allow_deletions: bool = False,
        internet: Internet = INTERNET,
    ) -> None:
        self.zones = Zones()
        self._stack, self._base = declared.stack, declared.folder
        self._folder = folder
        self._progress = progress
        self._made = made
        self._internet = internet
        self._allow_deletions = allow_deletions
        self._published = proving.NOTHING
        self._keys: tuple[DkimKey, ...] = ()
        self._recent: tuple[Target, ...] = ()
        self._lookup = through(self._internet.ask, self._internet.resolver())
        self._announced: frozenset[str] = frozenset()
        self._planned = Zones()
        self._pointed: Callable[[Write], bool] = lambda _: False
        self._telling = Telling(self._stack, folder, made, internet.ask, internet.resolver())

    def look(self, keys: Iterable[DkimKey]) -> None:
        """Look at every zone afresh; what was given up stays given up."""
        claims, self._keys = self._folder.claims(), tuple(keys)
        fresh = Zones.look(
            *(self._stack, self._keys, claims, self._base),
            given_up=self.zones.errors,
            now=self._made,
            allow_deletions=self._allow_deletions,
            tls=self._telling.look(),
        )
        spf_limits.judge(fresh, self._lookup)
        self.zones = replace(self.zones.again(fresh), untold=self._telling.untold)

    def _point_late(self, new: Collection[Target]) -> tuple[Target, ...]:
        """Write each MX that waited for a policy, once no sender remembers the one before: that takes minutes."""
        claims = self._folder.claims()
        moving = policy_known.moving(self._stack, self.zones, claims)
        told = policy_known.targets(moving, claims, self._telling.facts)
        if not told:
            return ()
        world = self._world({target.zone for target in told.values()})
        known = awaiting.timings(self.zones, world, told.values())
        since = {(c.name, c.value): c.since for c in claims}
        before = {t: since[t.name, t.value] for t in known if t not in new and (t.name, t.value) in since}
        with self._progress.step("senders know the policies that name another MX", lambda: not fresh.done):
            published = proving.Published(world, known, before, awaiting.margin(self.zones))
            fresh = proving.until_fresh(published, self._progress.note, stay=True)
        late = {waiting.target for waiting in fresh.waiting}
        heard = {name for name, target in told.items() if target in known and target not in late}
        return self.zones.publish(
            self._folder, Stage.HOSTS, lambda w: w.type == "MX" and w.name in heard and self._pointed(w)
        )

    def _doubt_next_keys(self) -> None:
        """Forget since when senders know a key whose record is about to be written: some server lacks it now."""
        zones = self.zones.found.values()
        written = {w.value for z in zones for w in z.changes.at(Stage.SWITCH).writes if isinstance(w, Create)}
        for coming in self._folder.next_keys():
            after = renewal.unwatched(coming)
            if after != coming and tlsa.value(coming.spki) in written:
                self._folder.save_next_key(after)

    def _unheard(self) -> dict[str, str]:
        """Return the domains whose new MX no sender may find yet, and what that waits for."""
        claims = self._folder.claims()
        if not (moving := policy_known.moving(self._stack, self.zones, claims)):
            return {}
        now = datetime.now(UTC)
        return policy_known.unheard(moving, claims, self._telling.facts, self.zones, self._world, now)

    def _world(self, zones: Collection[str]) -> World:
        return awaiting.world(self.zones, zones, self._internet.ask, self._internet.resolver())

    def needed(self) -> tuple[str, ...]:
        """Return what only a person can do about the zones."""
        # A zone that needs nothing is served well enough.
        changing = [zone.sight for zone in self.zones.found.values() if not zone.changes.empty]
        warnings = delegation.warnings(changing, self._internet.ask, self._internet.resolver())
        lacking = consents.missing(consents.strangers(self._stack), self._internet.ask, self._internet.resolver())
        asked = owners.needed(
            self._stack, self._keys, self._internet.ask, self._internet.resolver(), self._telling.facts
        )
        return (*warnings, *consents.needed(lacking), *asked)

    def expand(
        self,
        state: State,
        unproven: Mapping[str, Collection[DkimKey]],
        new_names: Collection[str],
        moving: Collection[str] = (),
    ) -> None:
        """Stage 2: write what mail relies on, after a look at what caches may hold of the old.

        Arguments: ``unproven``: the keys that each host has to prove; ``new_names``: of records that were only
        announced when the plan was made; ``moving``: names for which hosts are to send from another address.
        """
        self._planned, self._announced = self.zones, frozenset(new_names)
        self.look(state.keys)
        self.zones.refuse_moved(self._planned, new_names)
        keys = {key for found in unproven.values() for key in found}
        hosts = {name for name, found in unproven.items() if found}
        awaited = awaiting.awaited(self.zones, keys, hosts, state.claims, moving)
        led = awaiting.aliases(keys, self._internet.ask, self._internet.resolver())
        awaited |= {target: key.served_since for target, key in led.items()}
        world = self._world({t.zone for t in awaited})
        known = awaiting.timings(self.zones, world, awaited)
        since = {target: at for target, at in awaited.items() if at is not None and target in known}
        self._published = proving.Published(world, known, since, awaiting.margin(self.zones))
        with self._progress.step("DNS holds what mail relies on", lambda: bool(self.zones.errors)):
            self._recent = self.zones.publish(self._folder, Stage.EXPAND)

    def point(self, allowed: Callable[[Write], bool]) -> None:
        """Stage 3: write what points at hosts, and keys that they hold.

        Senders that hold a domain to a policy which does not name a new MX would not deliver to it: that waits.
        """
        self._pointed = allowed
        unheard = self._unheard()
        self._recent += self.zones.publish(
            self._folder,
            Stage.HOSTS,
            lambda write: allowed(write) and not (write.type == "MX" and write.name in unheard),
        )

    @property
    def internet(self) -> Internet:
        """How everybody else's view of DNS is got."""
        return self._internet

    def unattended(self, announced: Collection[str]) -> None:
        """Take what was looked at last for approved: a run that shows no plan writes only what it may in any case.

        ``announced``: names of records that follow from what it does meanwhile.
        """
        self._planned, self._announced = self.zones, frozenset(announced)

    def tlsa_known(self, host: str) -> Known:
        """Return what every server that speaks for a host's zone tells of its keys; ``window`` is left out."""
        return self._telling.known(host, self.zones)

    def tlsa_fresh_at(self, host: str, now: datetime) -> datetime | None:
        """Return from when no cache holds TLSA records of a host without its next key, given that all serve it now.

        None while not every server serves it, which is asked for; ``now``: the time.
        """
        return self._telling.fresh_at(host, self.zones, now)

    def there(self) -> frozenset[str]:
        """Return the names of the declared records that stand, or were written since the zones were looked at."""
        pending = self.zones.pending(self._recent, *Stage)
        expected = ((z.name, r) for z in self.zones.found.values() for r in z.changes.expected)
        return frozenset(record.name for zone, record in expected if Target.of(zone, record) not in pending)

    def awaited(self, working: Collection[str]) -> proving.Published:
        """Return what mail waits for, without what could not be written: it would never be served.

        ``working``: the hosts that an MX may point at.
        """
        failed = {name for name, error in self.zones.errors.items() if not isinstance(error, ForeignRecord)}
        later = self.zones.pending(self._recent, Stage.HOSTS)
        return self._published.without(
            lambda t: t.zone in failed or t in later or (t.type == "MX" and exchange(t.value) not in working)
        )

    def wait(self, awaited: proving.Published, *, stay: bool) -> Freshness:
        """Stage 4: wait until that is served and fresh; a zone that some server does not serve in time is given up."""
        absent = self._absent(awaited) if stay else {}
        with self._progress.step("served by every name server, and fresh", lambda: bool(absent) or not fresh.done):
            fresh = proving.until_fresh(awaited.without(absent.__contains__), self._progress.note, stay=stay)
        if stay:
            awaiting.not_served(self.zones, fresh)
        fresh = Freshness(fresh.since, (*fresh.waiting, *absent.values()))
        awaiting.led_astray(self.zones, fresh)
        return fresh

    def _absent(self, awaited: proving.Published) -> dict[Target, Waiting]:
        """Return the aliases that their owners have not published: that may take them days, and no run waits for it."""
        theirs = [t for t in awaited.known if t.type == "CNAME" and t.zone not in self.zones.found]
        looks = propagation.look(awaited.world, theirs) if theirs else ()
        return {look.target: Waiting(look.target, look.behind, astray=look.astray) for look in looks if look.behind}

    def switch(self, keys: Iterable[DkimKey], allowed: Callable[[Write], bool], *, stay: bool) -> tuple[str, ...]:
        """Stage 5: write what only holds once mail leaves signed, and once hosts show it (``pointing.shows``).

        Return what of all that was written is not served.
        """
        self.look(keys)
        self.zones.refuse_unplanned(self._planned, self._announced, Stage.SWITCH)
        strange = policy_known.strange(self._stack, (self._planned, self.zones), self._folder.claims())
        names = {record_name(domain) for domain in strange}
        self._doubt_next_keys()
        new = self.zones.publish(self._folder, Stage.SWITCH, lambda w: allowed(w) and w.name not in names)
        new += self._point_late(new) if stay else ()
        # What has just been written in its place will never be served again.
        slots = {place for target in new if (place := _place(target))}
        written = {*new, *(t for t in self._recent if _place(t) not in slots)} - self._published.known.keys()
        if not written:
            return ()
        world = self._world({t.zone for t in written})
        # Served is enough for what no new key rests on: what caches hold is what the mail until now was sent with.
        known = {t: Timing() for t in written if t.zone in world.servers}
        with self._progress.step("everything written is served", lambda: not served.done):
            published = proving.Published(world, known, {}, timedelta())
            served = proving.until_fresh(published, self._progress.note, stay=stay)
        if stay:
            awaiting.not_served(self.zones, served)
        return tuple(map(str, served.waiting))

    def withdraw(
        self, keys: Iterable[DkimKey], *, clocks: bool, addresses: Collection[str], shown: Container[str] = ()
    ) -> tuple[str, ...]:
        """Stage 6: withdraw what is ours and no longer declared; return what zones still lack, and what it waits for.

        A zone that lacks something keeps what is to go: nothing is withdrawn before its successor stands. ``clocks``:
        whether every host is known to work as declared: only then does anything begin to be no longer needed.
        ``addresses``: the hosts that may send from other addresses than declared: those that their names lead to stay;
        ``shown``: those that were seen from outside to show the key that is remembered as theirs: no record goes by
        which any other may be known.
        """
        keys = tuple(keys)
        self.look(keys)
        self.zones.refuse_unplanned(self._planned, self._announced, Stage.CONTRACT)
        told = {name for host in self._stack.hosts for name in tlsa_names(host.name, host.dane)}
        old = {*addresses, *self._policy_hosts(addresses)}
        unheard = self._unheard()
        lacking = self.zones.lacking(lambda write: unheard.get(write.name, "") if write.type == "MX" else "")
        settled = self.zones.settled().with_addresses(old)
        settled = settled.withdrawing(lambda changes: without_known_keys(changes, shown, told))
        (settled if clocks else settled.without_clocks()).publish(self._folder, Stage.CONTRACT)
        if any(zone.changes.leaving for zone in settled.found.values()):
            self.look(keys)  # with the clocks that have just started
        return (*lacking, *self.zones.held)

    def withdraw_known_keys(
        self, keys: Iterable[DkimKey], shown: Container[str], begin: Callable[[], None]
    ) -> tuple[str, ...]:
        """Withdraw TLSA records of keys that nobody shows any more, and nothing else; return what stays until when.

        Arguments: ``shown``: the hosts that were seen from outside to show the key that is remembered as theirs;
        ``begin`` is called before anything is written.
        """
        keys = tuple(keys)
        self.look(keys)
        self.zones.refuse_unplanned(self._planned, self._announced, Stage.CONTRACT)
        told = {name for host in self._stack.hosts for name in tlsa_names(host.name, host.dane)}
        settled = self.zones.settled().withdrawing(lambda changes: without_known_keys(changes, shown, told))
        going = settled.withdrawing(only_known_keys)
        if any(zone.changes.writes or zone.changes.leaving for zone in going.found.values()):
            begin()
            going.publish(self._folder, Stage.CONTRACT)
            self.look(keys)  # with the clocks that have just started
        return self.zones.keys_held

    def _policy_hosts(self, hosts: Container[str]) -> frozenset[str]:
        """Return the names that lead to policies of these hosts."""
        serving = (host for host in self._stack.hosts if host.name in hosts)
        return frozenset(sts.policy_host(d.name) for host in serving for d in sts.domains(self._stack, host))


def _place(target: Target) -> tuple[str, str, str] | None:
    title = slot(target.name, target.type, target.value)
    return (target.zone, target.name, title) if title else None
