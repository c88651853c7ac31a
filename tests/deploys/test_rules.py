"""The rules that rendered hosts keep, whatever the inventory."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.deploys.base import TLS
from sendwright.deploys.material import Material
from sendwright.deploys.receiving import KEPT, receiving
from sendwright.deploys.sender import services
from sendwright.deploys.submission import Rights, owners
from sendwright.service import File, Release, Running, Sealed, Service
from sendwright.signing import probe_address
from sendwright.stack import DkimAlgorithm, Domain, Host, Stack
from sendwright.state.model import Claim, DkimKey, KeyStage, State

MakeStack = Callable[..., Stack]
MakeMaterial = Callable[..., Material]
MakeKey = Callable[..., DkimKey]
RELEASES = pytest.mark.parametrize("release", list(Release))


def rendered(stack: Stack, material: Material, release: Release = Release.BOOKWORM) -> tuple[Service, ...]:
    """The services of a stack's first host."""
    return services(stack, stack.hosts[0], release, material)


def service(found: tuple[Service, ...], name: str) -> Service:
    """The service of that name."""
    return next(s for s in found if s.name == name)


def text(found: tuple[Service, ...], path: str) -> str:
    """The content of one file."""
    content = next(f.content for s in found for f in s.files if f.path == path)
    assert isinstance(content, str)
    return content


def _files(found: tuple[Service, ...]) -> set[File]:
    return {f for s in found for f in s.files}


def table(found: tuple[Service, ...], path: str) -> Mapping[str, str]:
    """A lookup table as Postfix and OpenDKIM read it."""
    lines = (line for line in text(found, path).splitlines() if line and not line.startswith("#"))
    return {line.split(None, 1)[0]: line.split(None, 1)[1] for line in lines}


@RELEASES
def test_submission_is_closed_until_a_domain_is_live(
    release: Release, make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """No service on 587 or 465, and no other way out either, while no domain's keys are proven here."""
    found = rendered(make_stack(), make_material(), release)

    assert "submission" not in text(found, "/etc/postfix/master.cf").replace("No submission", "")
    assert "\ndefault_transport      = retry:4.7.0 " in text(found, "/etc/postfix/main.cf")
    assert {s.port for s in service(found, "postfix").listens} == {25}
    assert table(found, "/etc/postfix/logins") == {}


@RELEASES
def test_one_live_domain_opens_submission_for_itself_only(
    release: Release, make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """The login map and the guard's list never let anybody send as a domain that is not live."""
    found = rendered(make_stack(), make_material(live=("example.com",)), release)

    assert {s.port for s in service(found, "postfix").listens} == {25, 587, 465}
    assert "default_transport" not in text(found, "/etc/postfix/main.cf")
    assert table(found, "/etc/postfix/logins") == {"@example.com": "app", "anna@example.com": "anna app"}
    assert json.loads(text(found, "/etc/sendwright/senders.json")) == {
        "anna": {"now": ["anna@example.com"], "later": ["anna@example.net"]},
        "app": {"now": ["example.com"], "later": ["example.net"]},
    }


def test_a_key_that_is_proven_elsewhere_opens_nothing_here(make_stack: MakeStack, make_material: MakeMaterial) -> None:
    """A domain is live on a host only by proofs of that very host."""
    found = rendered(make_stack(), make_material(live=("example.com",), host="mx2.example.com"))

    assert {s.port for s in service(found, "postfix").listens} == {25}


def test_a_draining_host_takes_no_submission_but_empties_its_queue_signed(
    make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """Draining closes 587 and 465, and changes nothing about delivery and signing."""
    found = rendered(make_stack(state="draining"), make_material(live=("example.com",)))

    assert {s.port for s in service(found, "postfix").listens} == {25}
    assert "default_transport" not in text(found, "/etc/postfix/main.cf")
    assert "example.com" in table(found, "/etc/opendkim/rsa.signingtable")


def test_every_milter_of_submission_comes_after_the_guard(make_stack: MakeStack, make_material: MakeMaterial) -> None:
    """Nothing is signed before the guard has let it pass."""
    found = rendered(make_stack(), make_material(live=("example.com",)))

    assert (
        "\nsubmission_milters = unix:sendwright-guard/guard.sock, unix:opendkim/rsa.sock, unix:opendkim/ed25519.sock\n"
        in text(found, "/etc/postfix/main.cf")
    )


def test_port_25_signs_nothing_and_relays_for_nobody(make_stack: MakeStack, make_material: MakeMaterial) -> None:
    """Its service has no milter and no authentication, and refuses what is not addressed to this host."""
    found = rendered(make_stack(), make_material(live=("example.com",)))

    master = text(found, "/etc/postfix/master.cf")
    port_25 = master[master.index("\nsmtp       inet") : master.index("\nsubmission inet")]
    assert "milter" not in port_25
    assert "sasl" not in port_25
    assert "smtpd_relay_restrictions=reject_unauth_destination" in port_25
    main = text(found, "/etc/postfix/main.cf")
    assert "\nsmtpd_relay_restrictions = reject\n" in main
    assert "\nsmtpd_milters" not in main


@pytest.mark.parametrize("algorithm", list(DkimAlgorithm))
def test_a_probed_key_signs_its_own_address_and_nothing_else(
    algorithm: DkimAlgorithm, make_stack: MakeStack, make_material: MakeMaterial, make_key: MakeKey
) -> None:
    """During a rotation the new key lies on the host and proves itself; the old one goes on signing."""
    new = make_key("example.com", algorithm, KeyStage.PUBLISHED, serial=2)
    found = rendered(make_stack(), make_material(live=("example.com",), extra=(new,)))

    signing = table(found, f"/etc/opendkim/{algorithm}.signingtable")
    assert signing[probe_address(new)] == new.record_name
    assert [address for address, key in signing.items() if key == new.record_name] == [probe_address(new)]
    assert signing["example.com"] == signing["mx1.example.com"] == f"sw{algorithm}1._domainkey.example.com"


@pytest.mark.parametrize("algorithm", list(DkimAlgorithm))
def test_mail_of_a_domain_without_a_proven_key_waits(
    algorithm: DkimAlgorithm, make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """What is handed to sendmail during a first provision must not lie in the queue unsigned and leave later."""
    closed = rendered(make_stack(), make_material())
    half = rendered(make_stack(), make_material(live=("example.com",)))

    for found, names in ((closed, ("example.com", "mx1.example.com", "example.net")), (half, ("example.net",))):
        signing = table(found, f"/etc/opendkim/{algorithm}.signingtable")
        assert tuple(sorted(n for n, key in signing.items() if key == "no-proven-key")) == tuple(sorted(names))
        assert "no-proven-key" not in table(found, f"/etc/opendkim/{algorithm}.keytable")


@pytest.mark.parametrize(("proven", "waits"), [(DkimAlgorithm.RSA, False), (DkimAlgorithm.ED25519, True)])
def test_mail_waits_for_a_proven_rsa_key_and_for_no_other(
    proven: DkimAlgorithm, waits: bool, make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """Ed25519, switched on for a living domain, joins once it is proven; the host's own name goes with its domain."""
    material = make_material(live=("example.com", "example.net"))
    unproven = (
        k if k.algorithm is proven else replace(k, stage=KeyStage.PUBLISHED, proven_on=()) for k in material.keys
    )
    found = rendered(make_stack(), replace(material, keys=tuple(unproven)))

    (other,) = {*DkimAlgorithm} - {proven}
    rows = [table(found, f"/etc/opendkim/{a}.signingtable") for a in (proven, other)]
    signed, left = ({n: key for n, key in row.items() if not n.startswith("sendwright-probe+")} for row in rows)
    names = {"example.com", "example.net", "mx1.example.com"}
    assert signed.keys() == names
    assert "no-proven-key" not in signed.values()
    assert left == (dict.fromkeys(names, "no-proven-key") if waits else {})
    assert {s.port for s in service(found, "postfix").listens} == ({25} if waits else {25, 587, 465})


def test_a_probe_passes_the_signer_of_the_other_algorithm(make_stack: MakeStack, make_material: MakeMaterial) -> None:
    """Its domain may have no proven key yet, and the probe must not wait for one."""
    found = rendered(make_stack(), make_material())

    tables = [table(found, f"/etc/opendkim/{a}.signingtable") for a in DkimAlgorithm]
    probes = [{name for name in t if name.startswith("sendwright-probe+")} for t in tables]
    assert len(probes[0]) == 4
    assert probes[0] == probes[1]


def test_bounces_are_signed_by_the_domain_above_the_host(make_stack: MakeStack, make_material: MakeMaterial) -> None:
    """MAILER-DAEMON writes from the host's name; without a live domain above it, nobody can sign for it."""
    under = rendered(make_stack(), make_material(live=("example.com",)))
    strange = rendered(make_stack(name="mx1.example.org"), make_material(live=("example.com",), host="mx1.example.org"))

    assert "mx1.example.com" in table(under, "/etc/opendkim/rsa.signingtable")
    assert "mx1.example.org" not in table(strange, "/etc/opendkim/rsa.signingtable")


def test_every_key_in_a_table_lies_on_the_host_and_is_readable_by_the_signer_only(
    make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """A key file that is missing or open would make OpenDKIM answer every message with an error."""
    found = rendered(make_stack(), make_material(live=("example.com",)))

    files = {f.path: f for f in service(found, "opendkim").files}
    for algorithm in DkimAlgorithm:
        for place in table(found, f"/etc/opendkim/{algorithm}.keytable").values():
            key = files[place.split(":")[2]]
            assert (key.owner, key.group, key.mode) == ("opendkim", "opendkim", 0o600)
            assert isinstance(key.content, Sealed)


@pytest.mark.parametrize("algorithm", DkimAlgorithm)
def test_a_signer_reads_no_configuration_of_a_resolver(
    algorithm: DkimAlgorithm, make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """OpenDKIM would have it parsed for every message by what is made for one thread, and fail when two are signed."""
    found = rendered(make_stack(), make_material(live=("example.com",)))

    assert "ResolverConfiguration" not in table(found, f"/etc/opendkim/{algorithm}.conf")


@pytest.mark.parametrize("unit", ["sendwright-opendkim@", "sendwright-guard"])
def test_a_milter_comes_back_however_often_it_ends(
    unit: str, make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """Mail waits for it meanwhile; systemd's own limit would leave it down for good."""
    found = rendered(make_stack(), make_material(live=("example.com",)))

    lines = text(found, f"/etc/systemd/system/{unit}.service").splitlines()
    assert {"StartLimitIntervalSec=0", "Restart=always"} <= set(lines)


def test_without_ed25519_its_signer_is_down_and_not_asked(make_stack: MakeStack, make_material: MakeMaterial) -> None:
    """A domain that declares RSA only gets one signature, and no milter that is not there."""
    found = rendered(make_stack(algorithms=("rsa",)), make_material(live=("example.com",)))

    signer = service(found, "opendkim")
    states = {unit.name: unit.state for unit in signer.units}
    assert states["sendwright-opendkim@ed25519.service"] is Running.DOWN
    assert "/etc/opendkim/ed25519.conf" in signer.absent
    assert "ed25519" not in text(found, "/etc/postfix/main.cf")


@RELEASES
def test_hashes_and_private_keys_are_secret_files(
    release: Release, make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """Nothing private is world-readable or appears in a diff."""
    found = rendered(make_stack(), make_material(live=("example.com",)), release)

    for file in (f for s in found for f in s.files):
        if isinstance(file.content, Sealed) or "$argon2id$" in file.content:
            assert file.private
            assert not file.mode & 0o007


@RELEASES
def test_another_key_is_another_folder_and_main_cf_goes_over_to_it_last(
    release: Release, make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """A process may start between any two renames: it reads one main.cf, and the pair that this one names is whole."""
    before = make_material()
    after = replace(before, certificate=replace(before.certificate, key=Sealed("tls/other.key", "e" * 64)))

    old, new = (service(rendered(make_stack(), found, release), "postfix") for found in (before, after))

    pairs = [{f.path for f in s.files if f.path.startswith(TLS)} for s in (old, new)]
    assert pairs == [{f"{TLS}/{tag * 16}/{name}.pem" for name in ("key", "chain")} for tag in "fe"]
    assert new.files[-1].path == "/etc/postfix/main.cf"
    assert f"\nsmtpd_tls_chain_files  = {TLS}/{'e' * 16}/key.pem, {TLS}/{'e' * 16}/chain.pem\n" in str(
        new.files[-1].content
    )


@RELEASES
def test_a_certificate_with_the_same_key_is_one_file_that_changes(
    release: Release, make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """A renewal: nothing else is written, and what loads it loads it again."""
    before = make_material()
    after = replace(before, certificate=replace(before.certificate, chain="-----ANOTHER-----\n"))

    old, new = (rendered(make_stack(), found, release) for found in (before, after))

    changed = {f.path for s in new for f in s.files} - {f.path for s in old for f in s.files if f in _files(new)}
    assert changed == {f"{TLS}/{'f' * 16}/chain.pem"}
    assert [s.name for s, earlier in zip(new, old, strict=True) if s.digest != earlier.digest] == ["postfix"]


@RELEASES
def test_keys_of_before_go_only_once_the_last_daemon_has_loaded_another(
    release: Release, make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """What is left in a folder of ours is cleared after its service has loaded: that is the last of all."""
    found = rendered(make_stack(), make_material(), release)

    clearing = [s.name for s in found for d in s.directories if d.path == TLS and d.exclusive]
    assert clearing == [found[-1].name] == ["postfix"]


def test_a_host_without_v6_never_sends_or_listens_on_it(make_stack: MakeStack, make_material: MakeMaterial) -> None:
    """Mail from an undeclared address would fail SPF."""
    found = rendered(make_stack(ipv6=False), make_material())

    main = text(found, "/etc/postfix/main.cf")
    assert "\ninet_protocols = ipv4\n" in main
    assert "smtp_bind_address6" not in main
    assert "::1" not in main
    assert "::1" not in text(found, "/etc/unbound/unbound.conf")


def test_behind_nat_nothing_is_bound(make_stack: MakeStack, make_material: MakeMaterial) -> None:
    """A cloud's public address is not on the machine; the kernel chooses."""
    found = rendered(make_stack(bind=False), make_material())

    assert "smtp_bind_address" not in text(found, "/etc/postfix/main.cf")


def test_the_chroot_sees_the_same_resolver_as_the_host(make_stack: MakeStack, make_material: MakeMaterial) -> None:
    """smtp(8) reads its own copy: another one would switch DANE off without a word."""
    found = rendered(make_stack(), make_material())

    assert text(found, "/etc/resolv.conf") == text(found, "/var/spool/postfix/etc/resolv.conf")


def test_the_resolver_answers_before_resolv_conf_points_at_it(
    make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """A host must never be left without name resolution between two services."""
    names = [s.name for s in rendered(make_stack(), make_material())]

    assert names.index("unbound") < names.index("resolv.conf") < names.index("postfix")


def test_who_may_send_as_what_is_taken_back_before_signers_forget_a_domain(
    make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """A domain that leaves the inventory is refused by the guard, at once, before its mail would leave unsigned."""
    found = rendered(make_stack(), make_material(live=("example.com",)))

    names = [s.name for s in found]
    rights = service(found, "rights")
    assert [f.path for f in rights.files] == ["/etc/sendwright/senders.json"]
    assert (rights.reload_units, rights.units) == ((), ())
    assert names.index("guard") < names.index("rights") < names.index("opendkim") < names.index("postfix")


def test_probes_and_internal_names_cannot_be_reached_over_smtp(
    make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """A stranger must not be able to plant a message among the proofs."""
    found = rendered(make_stack(), make_material(live=("example.com",)))

    refused = table(found, "/etc/postfix/internal")
    assert refused["probe@mx1.example.com"].startswith("550")
    assert refused[KEPT].startswith("550")
    for name in table(found, "/etc/postfix/maildirs"):
        assert refused[f"{name}@"].startswith("550")
    main = text(found, "/etc/postfix/main.cf")
    for restrictions in ("inbound_recipient_restrictions", "submission_recipient_restrictions"):
        rules = main[main.index(f"\n{restrictions} =") :]
        assert rules.index("/etc/postfix/internal") < rules.index("/etc/postfix/recipients")


def test_a_sending_domain_takes_postmaster_abuse_and_its_reports(make_stack: MakeStack) -> None:
    """RFC 5321 section 4.5.1, RFC 2142, and what the domain's own DMARC and TLS-RPT records ask others to send."""
    stack = make_stack()

    addresses = receiving(stack, stack.hosts[0]).addresses

    wanted = {"postmaster", "abuse", "dmarc", "tls-reports", "hello", "boss"}
    assert {a.split("@")[0] for a in addresses if a.endswith("@example.com")} == wanted
    assert {a.split("@")[0] for a in addresses if a.endswith("@mx1.example.com")} == {"postmaster", "abuse"}
    assert not [a for a in addresses if a.endswith("@example.net")]


def test_mail_is_taken_as_long_as_others_may_believe_that_it_belongs_here(make_stack: MakeStack) -> None:
    """A withdrawn MX lives on in caches: for a domain that moved away and for one that nobody declares any more."""
    stack = make_stack()

    mail = receiving(stack, stack.hosts[0], lingering={"example.net", "gone.example"})

    assert {"example.net", "gone.example"} <= {*mail.domains}
    assert mail.addresses["postmaster@gone.example"] == f"gone.example=postmaster@{KEPT}"
    assert {"@gone.example", "@example.net"} <= {f"@{d}" for d in mail.catch_all}


def test_mail_of_a_domain_that_moved_to_another_host_goes_where_it_goes_there() -> None:
    """Its forwarding is declared still: in a Maildir of the host that it left, nobody would look for it."""
    egress = {"mx1.example.com": "203.0.113.10", "mx2.example.com": "203.0.113.11"}
    hosts = [{"name": n, "ssh": {"hostname": n}, "egress": [{"public": a}]} for n, a in egress.items()]
    domains = [
        {"name": "example.com", "dns": "main"},
        {"name": "moved.example", "dns": "main", "hosts": ["mx2.example.com"], "receive": {"forward": "x@far.example"}},
    ]
    stack = Stack.model_validate({"hosts": hosts, "domains": domains})

    mail = receiving(stack, stack.host("mx1.example.com"), lingering={"moved.example"})

    assert mail.addresses["postmaster@moved.example"] == "x@far.example"


def test_the_ledger_knows_which_mx_lead_to_a_host(make_material: MakeMaterial, make_stack: MakeStack) -> None:
    """Those of other hosts are theirs."""
    host, certificate = make_stack().hosts[0], make_material().certificate
    since = datetime(2026, 1, 1, tzinfo=UTC)
    here = Claim("a.example", "a.example", "MX", f"10 {host.name}.", since, "main")
    there = Claim("b.example", "b.example", "MX", "10 mx9.example.org.", since, "main")

    assert Material.of(host, certificate, State(claims=(here, there))).lingering == {"a.example"}


LOCALS = st.sampled_from(["a", "b", "c", "postmaster", "bounces"])
OWN = st.builds("{}@{}".format, LOCALS, st.sampled_from(["one.example", "two.example"]))
TARGETS = st.none() | OWN | st.just("x@far.example")


@given(st.tuples(TARGETS, TARGETS), st.tuples(st.dictionaries(LOCALS, TARGETS), st.dictionaries(LOCALS, TARGETS)))
def test_mail_always_ends_in_a_maildir_or_elsewhere(
    forwards: tuple[str | None, str | None], aliases: tuple[dict[str, str | None], dict[str, str | None]]
) -> None:
    """However aliases and forwards point at each other, no mail goes round in circles or to an unknown address."""
    domains = tuple(
        Domain.model_validate({"name": name, "dns": "d", "receive": {"forward": forward, "aliases": names}})
        for name, forward, names in zip(("one.example", "two.example"), forwards, aliases, strict=True)
    )
    host = Host.model_validate(
        {"name": "mx.one.example", "ssh": {"hostname": "h"}, "egress": [{"public": "192.0.2.1"}]}
    )
    mail = receiving(Stack(hosts=(host,), domains=domains), host)

    for start in (*mail.addresses, *(f"@{d}" for d in mail.catch_all)):
        target = mail.catch_all[start[1:]] if start.startswith("@") else mail.addresses[start]
        for _ in range(len(mail.addresses) + 1):
            if target not in mail.addresses:
                break
            target = mail.addresses[target]
        local, _, at = target.rpartition("@")
        assert at == "far.example" or (at == KEPT and local in mail.maildirs)


NAMES = st.sets(st.sampled_from(["a.example", "b.example", "x@a.example", "y@a.example", "x@b.example"]))


@given(st.dictionaries(st.sampled_from(["u", "v", "w"]), NAMES))
def test_postfix_and_the_guard_agree_on_who_owns_an_address(rights: dict[str, set[str]]) -> None:
    """Postfix takes the first entry of address and @domain; the guard takes both: the outcome must be one."""
    found = [Rights(login, tuple(sorted(names)), ()) for login, names in rights.items()]

    entries = owners(found)

    for address in ("x@a.example", "y@a.example", "z@a.example", "x@b.example"):
        domain = address.partition("@")[2]
        postfix = entries.get(address) or entries.get(f"@{domain}") or ()
        assert set(postfix) == {login for login, names in rights.items() if {address, domain} & names}
