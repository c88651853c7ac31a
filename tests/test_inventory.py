"""Inventories: what people write, and every mistake in it at once."""

import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright import inventory
from sendwright.declared import EnvSecret, FileSecret
from sendwright.errors import InventoryError, Problem, UsageError
from sendwright.names import domain_name, ip_address, mail_address, ssh_host

HOST: dict[str, Any] = {"egress": [{"public": "203.0.113.10"}]}
PROVIDER: dict[str, Any] = {
    "provider": "rfc2136",
    "server": "192.0.2.53",
    "tsig": {"name": "sendwright", "secret": {"env": "TSIG"}},
}
DOMAIN: dict[str, Any] = {"dns": "main"}
LONG = ".".join(["b" * 60] * 2)


def problems(
    host: Mapping[str, Any] | None = None, domain: Mapping[str, Any] | None = None, **shared: Any
) -> tuple[Problem, ...]:
    """Return the mistakes of a small inventory in which something was changed."""
    data = {"dns": {"main": PROVIDER}, "domains": {"example.com": {**DOMAIN, **(domain or {})}}, **shared}
    try:
        inventory.parse([("mx1.example.com", {**HOST, **(host or {})})], data, "inventory.py")
    except InventoryError as error:
        return error.problems
    return ()


def test_the_smallest_useful_inventory_is_valid() -> None:
    """One host with an address, one provider, one domain: everything else has a default."""
    assert problems() == ()


@pytest.mark.parametrize(
    ("domains", "place", "words"),
    [
        ({"c.example": {"dns": None}}, "c.example › dkim › delegate_to", "without dns nobody writes the zone"),
        ({"c.example": {}}, "c.example › dns", "is missing"),
        ({"c.example": {"dns": None, "dkim": {"delegate_to": "d.example"}}}, "delegate_to", "no declared domain"),
        ({"c.example": {"dns": None, "dkim": {"delegate_to": "x.c.example"}}}, "delegate_to", "which has no dns"),
        ({LONG: {"dns": None, "dkim": {"delegate_to": f"{LONG}.example.com"}}}, "delegate_to", "longer than 253"),
        ({"example.com": {"dns": None, "dkim": {"delegate_to": "example.org"}}, "example.org": DOMAIN},
         "hosts › mx1.example.com", "nobody writes its address"),
        ({"c.example": {"dns": None, "sends": False, "dkim": {"delegate_to": "example.com"}}}, "dkim", "sends nothing"),
    ],
)  # fmt: skip
def test_a_delegation_that_leads_nowhere_is_a_mistake(domains: dict[str, Any], place: str, words: str) -> None:
    """Keys lie in a zone that we write, and hosts too."""
    found = problems(domains={"example.com": DOMAIN, **domains})

    assert any(place in problem.place and words in f"{problem.what} {problem.allowed}" for problem in found), found


@pytest.mark.parametrize("more", [{"dkim": {"delegate_to": "keys.example.com"}}, {"sends": False}])
def test_a_domain_whose_zone_is_not_ours_is_valid(more: dict[str, Any]) -> None:
    """Its keys lie in one that is; a domain that sends nothing has none."""
    assert problems(domains={"example.com": DOMAIN, "customer.example": {"dns": None, **more}}) == ()


def test_five_mistakes_are_reported_together_each_with_its_place_and_what_is_allowed() -> None:
    """Nobody mends an inventory one message at a time."""
    with pytest.raises(InventoryError) as refused:
        inventory.parse(
            [("mx1.example.com", {"egress": [{"public": "203.0.113.300"}], "ssh_prot": 22})],
            {
                "dns": {"main": PROVIDER},
                "domains": {"example.com": {"dns": "man", "dmarc": {"policy": "rejct"}}, "example.org": {"dns": "man"}},
                "smtp": {"queue_days": 9},
            },
            "inventories/mail/inventory.py",
        )

    assert str(refused.value) == (
        "inventories/mail/inventory.py: 5 mistakes; nothing was tried.\n"
        "  hosts › mx1.example.com › ssh_prot: no such setting (did you mean ssh_port? known: _sudo, adopt, dane, "
        "egress, ssh_host_key, ssh_hostname, ssh_key, ssh_key_password, ssh_known_hosts_file, ssh_port, "
        "ssh_strict_host_key_checking, ssh_user, state, tls)\n"
        "  hosts › mx1.example.com › egress › 1 › public: “203.0.113.300”: not an IP address, as in 203.0.113.10 or "
        "2001:db8::10\n"
        "  domains › example.com › dmarc › policy: “rejct”: not allowed (allowed: 'none', 'quarantine' or 'reject')\n"
        "  smtp › queue_days: 9 is out of range (allowed: 1 to 5)\n"
        "  domains › example.org › dns: man names no DNS provider (did you mean main? dns: main)"
    )
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("changed", "place", "words"),
    [
        ({"host": {"ssh_port": 70000}}, "hosts › mx1.example.com › ssh_port", "1 to 65535"),
        ({"host": {"ssh_port": "ssh"}}, "hosts › mx1.example.com › ssh_port", "whole number"),
        ({"host": {"ssh_host_key": "MD5:00"}}, "hosts › mx1.example.com › ssh_host_key", "ssh-keygen"),
        ({"host": {"egress": []}}, "hosts › mx1.example.com › egress", "is empty"),
        ({"host": {"egress": {"public": "203.0.113.10"}}}, "hosts › mx1.example.com › egress", "must be a list"),
        ({"host": {"egress": [{}]}}, "hosts › mx1.example.com › egress › 1 › public", "is missing"),
        ({"host": {"egress": [{"public": 5}]}}, "hosts › mx1.example.com › egress › 1 › public", "write it as text"),
        ({"host": {"egress": [{"public": "127.0.0.1"}]}}, "hosts › mx1.example.com › egress › 1 › public", "can see"),
        ({"host": {"egress": [{"public": "2001:db8::1%x"}]}}, "hosts › mx1.example.com › egress › 1 › public", "%"),
        ({"host": {"state": "drained"}}, "hosts › mx1.example.com › state", "'active' or 'draining'"),
        ({"host": {"tls": {"mode": "amce"}}}, "hosts › mx1.example.com › tls", "self-signed, internal-ca, file, acme"),
        ({"host": {"tls": "amce"}}, "hosts › mx1.example.com › tls", "self-signed, internal-ca, file, acme"),
        ({"host": {"tls": {"mode": "file"}}}, "hosts › mx1.example.com › tls › certificate", "is missing"),
        ({"host": {"tls": {"mode": "internal-ca", "days": 0}}}, "hosts › mx1.example.com › tls › days", "1 to 825"),
        ({"tls": {"mode": "self-signed", "dayz": 3}}, "tls › dayz", "did you mean days?"),
        ({"host": {"domains": {}}}, "hosts › mx1.example.com › domains", "group_data/all.py"),
        ({"host": {"_sudo_user": "mail"}}, "hosts › mx1.example.com › _sudo_user", "known: _sudo"),
        ({"domain": {"dkim": {"rsa_bits": 1024}}}, "domains › example.com › dkim › rsa_bits", "2048, 3072 or 4096"),
        ({"domain": {"dkim": {"algorithms": ["ed25519"]}}}, "domains › example.com › dkim › algorithms", "rsa must"),
        ({"domain": {"dmarc": {"rua": "mailto:a@b.example"}}}, "domains › example.com › dmarc › rua", "a list"),
        ({"domain": {"dmarc": {"rua": ["a@b.example"]}}}, "domains › example.com › dmarc › rua › 1", "mailto:"),
        ({"domain": {"dmark": {}}}, "domains › example.com › dmark", "did you mean dmarc?"),
        ({"domain": {"name": "example.org"}}, "domains › example.com › name", "no such setting"),
        ({"domain": {"replace_mx": "perhaps"}}, "domains › example.com › replace_mx", "True or False"),
        ({"domain": {"replace_mx": "yes"}}, "domains › example.com › replace_mx", "True or False"),
        ({"domain": {"sends": "perhaps"}}, "domains › example.com › sends", "True or False"),
        ({"domain": {"caa": "letsencrypt.org"}}, "domains › example.com › caa", "a list"),
        ({"domain": {"caa": ["Let's Encrypt"]}}, "domains › example.com › caa › 1", "letters, digits and hyphens"),
        ({"domains": ["example.com"]}, "domains", "must be a mapping"),
        ({"domains": {"example.com": None}}, "domains › example.com", "must be a mapping"),
        ({"domains": {}}, "domains", "no domain is declared"),
        ({"domians": {}}, "domians", "did you mean domains?"),
        ({"smtp": {b"queue_days": 3}}, "smtp", "queue_days': the name of a setting must be text"),
        ({"smtp": {(1, 2): 3}}, "smtp", "(1, 2): the name of a setting must be text"),
        ({"domain": {5: 3}}, "domains › example.com", "5: the name of a setting must be text"),
        ({"dns": {"main": {**PROVIDER, "provider": "bind"}}}, "dns › main", "known provider (allowed: {"),
        ({"dns": {"main": {"server": "192.0.2.1"}}}, "dns › main", "with rfc2136, cloudflare"),
        ({"dns": {"main": "cloudflare"}}, "dns › main", "must be a mapping"),
        ({"dns": {"cloudflare": {**PROVIDER, "port": 0}}}, "dns › cloudflare › port", "1 to 65535"),
        ({"dns": {"main": {"provider": "cloudflare", "tokn": 1}}}, "dns › main › tokn", "did you mean token?"),
        ({"dns": {"main": PROVIDER, "b d": PROVIDER}}, "dns › b d", "letters, digits"),
        ({"key_store": {"unencrypted": "yes"}}, "key_store › unencrypted", "I know that anybody"),
        ({"state_dir": "a b"}, "state_dir", "a path of"),
        ({"state_dir": "~root/x"}, "state_dir", "a path of"),
        ({"rehearsal": {"root_hints": "$INCLUDE x", "trust_anchor": "."}}, "rehearsal › root_hints", "without $"),
    ],
)
def test_each_mistake_has_its_place_and_says_what_is_allowed(changed: dict[str, Any], place: str, words: str) -> None:
    """One line for each way in which a setting can be wrong."""
    found = [str(problem) for problem in problems(**changed) if problem.place == place]

    assert len(found) == 1
    assert words in found[0]


@pytest.mark.parametrize(
    ("changed", "place", "words"),
    [
        ({"domain": {"dns": "man"}}, "domains › example.com › dns", "names no DNS provider (did you mean main?"),
        ({"domain": {"hosts": []}}, "domains › example.com › hosts", "no host sends for it"),
        ({"domain": {"hosts": ["mx2.example.com"]}}, "domains › example.com › hosts › 1", "did you mean mx1."),
        ({"domains": {"example.org": DOMAIN}}, "hosts › mx1.example.com", "lies in no declared domain"),
        ({"domains": {"example.com": DOMAIN, "Example.com.": DOMAIN}}, "domains › example.com", "more than once"),
        ({"domain": {"mx": "elsewhere", "replace_mx": True}}, "domains › example.com › replace_mx", "contradicts mx"),
        (
            {"domain": {"mx": "elsewhere", "receive": {"aliases": {"info": None}}}},
            "domains › example.com › receive",
            "contradicts mx",
        ),
        (
            {"domain": {"receive": {"forward": "me@example.com"}}},
            "domains › example.com › receive › forward",
            "circles",
        ),
        (
            {"domain": {"receive": {"aliases": {"info": "root@mx1.example.com"}}}},
            "domains › example.com › receive › aliases › info",
            "circles",
        ),
        ({"domain": {"spf": {"include": ["example.com"]}}}, "domains › example.com › spf › include", "its own record"),
    ],
)
def test_parts_that_contradict_each_other_are_found_even_beside_other_mistakes(
    changed: dict[str, Any], place: str, words: str
) -> None:
    """A contradiction does not hide behind a part that is wrong in itself."""
    for other in ({}, {"smtp": {"queue_days": 99}}):
        found = [str(problem) for problem in problems(**changed, **other) if problem.place == place]

        assert len(found) == 1
        assert words in found[0]


def test_a_host_sends_for_the_domain_that_it_lies_in() -> None:
    """Its bounces come from its own name: without a key of the domain above it they would leave unsigned."""
    hosts = [("mx1.example.com", HOST), ("mx2.example.com", {"egress": [{"public": "203.0.113.11"}]})]
    own = {**DOMAIN, "hosts": ["mx2.example.com"]}
    data = {"dns": {"main": PROVIDER}, "domains": {"example.com": own, "example.org": DOMAIN}}

    with pytest.raises(InventoryError) as refused:
        inventory.parse(hosts, data, "x")
    nearer = inventory.parse(hosts, {**data, "domains": {"example.com": own, "mx1.example.com": DOMAIN}}, "x")

    assert [p.place for p in refused.value.problems] == ["domains › example.com › hosts"]
    assert "mx1.example.com" in str(refused.value)
    assert nearer.covering("mx1.example.com") == nearer.domain("mx1.example.com")


def test_two_hosts_may_not_share_a_name_or_an_address() -> None:
    """Each host sends from its own address under its own name."""
    data = {"dns": {"main": PROVIDER}, "domains": {"example.com": DOMAIN}}

    with pytest.raises(InventoryError) as refused:
        inventory.parse([("mx1.example.com", HOST), ("MX1.example.com", HOST), ("mx2.example.com", HOST)], data, "x")

    assert [problem.place for problem in refused.value.problems] == [
        "hosts › mx1.example.com",
        "hosts › mx2.example.com › egress › 1 › public",
    ]


def test_a_mistake_in_shared_data_is_reported_once() -> None:
    """What all hosts inherit is wrong in one place only."""
    data = {"dns": {"main": PROVIDER}, "domains": {"example.com": DOMAIN}, "tls": {"mode": "x"}, "ssh_port": 0}
    second = {"egress": [{"public": "203.0.113.11"}]}

    with pytest.raises(InventoryError) as refused:
        inventory.parse([("mx1.example.com", HOST), ("mx2.example.com", second)], data, "x")

    assert [problem.place for problem in refused.value.problems] == ["ssh_port", "tls"]


@pytest.mark.parametrize(
    "changed",
    [
        {"host": {"ssh_key_password": "hunter2"}},
        {"host": {"ssh_key_password": {"env": "hunter2 is it"}}},
        {"host": {"ssh_key_password": {"value": "hunter2"}}},
        {"host": {"tls": {"mode": "file", "certificate": "c.pem", "key": "hunter2"}}},
        {"host": {"tls": {"mode": "file", "certificate": "c.pem", "key": {"file": "hunter2 is it"}}}},
        {"key_store": {"passphrase": "hunter2"}},
        {"dns": {"main": {**PROVIDER, "tsig": {"name": "k", "secret": "hunter2"}}}},
        {"dns": {"main": {**PROVIDER, "tsig": {"name": "k", "secret": {"command": "hunter2"}}}}},
    ],
)
def test_a_secret_that_somebody_wrote_down_is_refused_and_never_repeated(changed: dict[str, Any]) -> None:
    """Secrets are named; one that was written anyway does not reach the screen on top."""
    found = problems(**changed)

    assert len(found) == 1
    assert "hunter2" not in str(found[0])


def test_control_characters_of_hostile_input_reach_no_terminal() -> None:
    """Names, settings and values are escaped wherever a message quotes them."""
    evil = "\x1b]0;pwned\x07\u202egnp.\n"

    changed: dict[str, Any] = {"domains": {evil: {evil: 1}}, "dns": {evil: {evil: evil}}, evil: 1}
    found = problems(host={evil: 1, "ssh_user": evil}, **changed)

    text = "".join(map(str, found))
    assert len(found) >= 5
    assert text.isprintable()


@given(st.text(min_size=1, max_size=40) | st.text(string.printable, min_size=1, max_size=12))
def test_every_accepted_name_consists_of_harmless_characters(text: str) -> None:
    """No shell, template or control character passes, so nothing that passes needs escaping anywhere."""
    harmless = set(string.ascii_lowercase + string.digits + "._+=-@:")
    parts = [text, f"a{text}.example", f"{text}@example.com", f"2001:db8::1%{text}"]

    for parse in (domain_name, mail_address, ssh_host, lambda part: str(ip_address(part))):
        for part in parts:
            try:
                accepted = parse(part)
            except ValueError:
                continue
            assert set(accepted) <= harmless
            assert accepted[0] != "-"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=3) | st.floats(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["main", "name", "env", "mode", "dns", "egress", "public"]) | st.integers(), inner
            )
        ),
        max_leaves=8,
    ),
    st.sampled_from(
        ["dns", "domains", "tls", "key_store", "smtp", "rehearsal", "state_dir", "egress", "ssh_key_password"]
    ),
)
def test_no_input_whatever_raises_anything_but_an_inventory_error(junk: Any, setting: str) -> None:
    """A person never sees a traceback for something that they can mend."""
    problems(host={setting: junk})
    problems(domain={"receive": junk, "dkim": junk, "hosts": junk})
    problems(**{setting: junk})


def test_pyinfra_s_own_settings_become_ours() -> None:
    """The same data drives the stock command."""
    host = {
        **HOST,
        "ssh_hostname": "192.0.2.1",
        "ssh_port": 2222,
        "ssh_user": "admin",
        "ssh_key": "~/.ssh/id",
        "ssh_key_password": {"env": "SSH_PASSWORD"},
        "ssh_known_hosts_file": "known_hosts",
        "ssh_strict_host_key_checking": "yes",
        "_sudo": True,
    }
    stack = inventory.parse(
        [("mx1.example.com", host)], {"dns": {"main": PROVIDER}, "domains": {"example.com": DOMAIN}}, ""
    )

    ssh = stack.hosts[0].ssh
    assert (ssh.hostname, ssh.port, ssh.user, ssh.key, ssh.sudo) == ("192.0.2.1", 2222, "admin", "~/.ssh/id", True)
    assert ssh.key_password == EnvSecret(env="SSH_PASSWORD")
    assert ssh.known_hosts == "known_hosts"


def test_a_host_s_own_data_wins_over_what_all_share() -> None:
    """As in pyinfra."""
    data = {
        "dns": {"main": PROVIDER},
        "domains": {"example.com": DOMAIN},
        "tls": {"mode": "internal-ca"},
        "_sudo": True,
        "key_store": {"passphrase": {"file": "passphrase"}},
    }
    own = {"egress": [{"public": "203.0.113.11"}], "tls": {"mode": "self-signed"}}

    stack = inventory.parse([("mx1.example.com", HOST), ("mx2.example.com", own)], data, "")

    assert [host.tls.mode for host in stack.hosts] == ["internal-ca", "self-signed"]
    assert all(host.ssh.sudo for host in stack.hosts)
    assert stack.key_store.passphrase == FileSecret(file="passphrase")


def test_the_state_lies_beside_the_inventory_unless_it_says_where(tmp_path: Path) -> None:
    """Relative paths start at the inventory folder, wherever the command is run."""
    text = f"senders = [('mx1.example.com', {HOST!r})]\n"
    shared = f"dns = {{'main': {PROVIDER!r}}}\ndomains = {{'example.com': {DOMAIN!r}}}\n"
    (tmp_path / "group_data").mkdir()
    (tmp_path / "inventory.py").write_text(text)
    (tmp_path / "group_data" / "all.py").write_text(shared)

    beside = inventory.load(tmp_path)
    (tmp_path / "group_data" / "all.py").write_text(shared + "state_dir = '../elsewhere'\n")
    elsewhere = inventory.load(tmp_path / "inventory.py")

    assert beside.folder == tmp_path
    assert beside.state_dir == tmp_path / "state"
    assert elsewhere.state_dir == tmp_path / "../elsewhere"


def test_no_inventory_is_bad_usage(tmp_path: Path) -> None:
    """The sentence says how to begin one."""
    with pytest.raises(UsageError, match="sendwright init"):
        inventory.load(tmp_path)


@pytest.mark.parametrize("url", ["https://me:hunter2@ns1.example", "https://hunter2@ns1.example/p@th"])
def test_a_password_in_a_url_is_refused_and_never_repeated(url: str) -> None:
    """The rest of it is, so that people find it."""
    found = problems(dns={"main": {"provider": "powerdns", "url": url, "key": {"env": "KEY"}}})

    assert "hunter2" not in str(found)
    assert "“https://…@" in str(found)


def test_a_tsig_key_has_a_name_that_fits_into_a_message() -> None:
    """As any name of DNS."""
    tsig = {"name": ".".join(["a" * 60] * 5), "secret": {"env": "TSIG"}}

    assert "a TSIG key's name" in str(problems(dns={"main": {**PROVIDER, "tsig": tsig}}))


_HOST_RENEWS = (
    'senders = [("mx1.example.com", {"egress": [{"public": "203.0.113.10"}], '
    '"tls": {"mode": "acme", "renewal": "host"}})]\n'
)


def _private(folder: Path) -> Path:
    (folder / "group_data").mkdir()
    (folder / "inventory.py").write_text(_HOST_RENEWS)
    (folder / "group_data/all.py").write_text(
        f"dns = {{'main': {PROVIDER!r}}}\ndomains = {{'example.com': {DOMAIN!r}}}\n"
        'acme = {"directory": "https://ca.example/dir", "trust": "roots.pem"}\n'
    )
    return folder


def test_what_hosts_have_to_trust_is_read_with_the_inventory(tmp_path: Path) -> None:
    """A host that renews by itself judges by the roots that the controller goes by."""
    (_private(tmp_path) / "roots.pem").write_text("ROOTS\n")

    assert inventory.load(tmp_path).stack.roots == "ROOTS\n"


@pytest.mark.parametrize(("text", "why"), [(None, "No such file or directory"), (b"\xff", "it is no PEM file")])
def test_roots_that_cannot_be_read_are_a_mistake_of_the_inventory(text: bytes | None, why: str, tmp_path: Path) -> None:
    """Said before anything is tried, with the file's name."""
    if text is not None:
        (_private(tmp_path) / "roots.pem").write_bytes(text)
    else:
        _private(tmp_path)

    with pytest.raises(InventoryError) as refused:
        inventory.load(tmp_path)

    assert refused.value.problems == (Problem("acme › trust", f"roots.pem cannot be read: {why}"),)
