"""The rehearsal's inventory: production's, but for what would reach or need production; and it loads as what it is."""

import json
import os
import subprocess
import sys
import tempfile
from ipaddress import ip_address
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sendwright import convention, inventory
from sendwright.overlay import LabFacts, asks_authority, inventory_files, rehearsed
from sendwright.providers import Rfc2136
from sendwright.rehearse import VALIDITY, lab_spec
from sendwright.stack import AcmeAuthority, Domain, Host, KeyStore, Smtp, Stack

_PRODUCTION = ({"env": "PRODUCTION"}, {"file": "production.key"}, {"command": ["pass", "production"]})
_HOSTS = ("mx1.example.com", "mx2.example.com", "mx3.mail.example.org")
_JUDGE = """
import json, sys
from pyinfra_cli.inventory import make_inventory
from pyinfra.api import State
from pyinfra.context import ctx_state
ctx_state.set(State())
print(json.dumps([[host.name, host.data.dict()] for host in make_inventory(sys.argv[1])]))
"""


def _facts(stack: Stack) -> LabFacts:
    return LabFacts(
        ssh_key="/lab/ssh_key",
        known_hosts="/lab/known_hosts",
        fingerprints={host.name: "SHA256:" + "A" * 43 for host in stack.hosts},
        server=ip_address("198.18.0.2"),
        tsig_name="lab",
        tsig_file="/lab/tsig",
        root_hints=". 3600 IN NS ns.root.\nns.root. 3600 IN A 198.18.0.1\n",
        trust_anchor=". 3600 IN DS 1 13 2 " + "AB" * 32 + "\n",
        inbox="inbox.example",
        directory="https://acme.lab.example/dir",
        root="/lab/authority.pem",
    )


secrets = st.sampled_from(_PRODUCTION)
tls = st.one_of(
    st.just({}),
    st.builds(lambda days: {"mode": "self-signed", "days": days}, st.integers(1, 3650)),
    st.just({"mode": "internal-ca"}),
    st.builds(
        lambda challenge, key: {"mode": "acme", "challenge": challenge, "key": key},
        st.sampled_from(["dns-01", "http-01", None]),
        st.sampled_from(["ecdsa", "rsa"]),
    ),
    st.builds(
        lambda key: {"mode": "file", "certificate": "production.pem", "key": key}, st.sampled_from(_PRODUCTION[1:])
    ),
)
authority = st.builds(
    lambda private, hmac, contact: {
        **(
            {
                "directory": "https://acme.production.example/dir",
                "external_account": {"kid": "production", "hmac": hmac},
                "trust": "production.pem",
            }
            if private
            else {"directory": "staging"}
        ),
        "contact": contact,
    },
    st.booleans(),
    secrets,
    st.sampled_from([[], ["mailto:me@example.net"]]),
)


@st.composite
def host(draw: st.DrawFn, name: str, number: int) -> Host:
    """Draw a host with addresses of its own and whatever it takes to reach it."""
    v4 = {"public": f"203.0.113.{number + 1}", **draw(st.sampled_from([{}, {"bind": "10.0.0.5"}, {"bind": None}]))}
    v6 = {"public": f"2001:db8::{number + 1}"}
    ssh = {
        "hostname": draw(st.sampled_from([name, "bastion.example.net", "192.0.2.7"])),
        "port": draw(st.sampled_from([22, 2222])),
        "user": draw(st.sampled_from(["root", "admin"])),
        "sudo": draw(st.booleans()),
        "key": draw(st.none() | st.just("~/.ssh/production")),
        "key_password": draw(st.none() | secrets),
    }
    return Host.model_validate(
        {
            "name": name,
            "ssh": ssh,
            "egress": draw(st.sampled_from([[v4], [v6], [v6, v4]])),
            "state": draw(st.sampled_from(["active", "draining"])),
            "adopt": draw(st.booleans()),
            **({"tls": found} if (found := draw(tls)) else {}),
        }
    )


@st.composite
def domain(draw: st.DrawFn, name: str, hosts: tuple[str, ...]) -> Domain:
    """Draw a domain with settings that differ from the defaults, or do not."""
    # Those that lie in it send for it: it is their bounces' domain.
    own = {n for n in hosts if n.endswith(f".{name}")}
    some = st.lists(st.sampled_from(hosts), min_size=1, unique=True).map(lambda names: sorted({*names, *own}))
    settings = {
        "hosts": draw(st.none() | some),
        "dkim": draw(st.sampled_from([{}, {"algorithms": ["rsa"]}, {"rsa_bits": 3072}])),
        "spf": draw(st.sampled_from([{}, {"include": ["_spf.example.net"], "all": "-all"}])),
        "dmarc": draw(st.sampled_from([{}, {"policy": "reject", "alignment": "strict"}])),
        "receive": draw(st.sampled_from([{}, {"forward": "me@example.net"}, {"aliases": {"sales": None}}])),
        "mx": draw(st.sampled_from(["here", "elsewhere"])),
    }
    # Reports and forwarded mail are asked for where something receives them.
    if settings["mx"] == "elsewhere":
        settings["receive"] = {}
    return Domain.model_validate({"name": name, "dns": "main", **settings})


@st.composite
def stack(draw: st.DrawFn) -> Stack:
    """Draw a declaration as a person might write it."""
    count = draw(st.integers(1, 3))
    names = _HOSTS[:count]
    hosts = tuple(draw(host(name, number)) for number, name in enumerate(names))
    domains = tuple(draw(domain(name, names)) for name in ("example.com", "example.org"))
    tsig = {"name": "production", "secret": draw(secrets)}
    server = Rfc2136.model_validate({"provider": "rfc2136", "server": "192.0.2.53", "tsig": tsig})
    return Stack(
        hosts=hosts,
        domains=domains,
        dns={"main": server},
        key_store=KeyStore.model_validate({"passphrase": draw(secrets)}),
        acme=AcmeAuthority.model_validate(draw(authority)),
        smtp=Smtp(queue_days=draw(st.integers(1, 5))),
        state_dir=draw(st.none() | st.just("../state")),
    )


def _written(stack: Stack, folder: Path) -> Path:
    for name, text in inventory_files(stack).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@given(stack())
def test_a_rehearsal_reads_no_secret_of_production(declared: Stack) -> None:
    """Whatever names a secret, a key or a certificate of production is replaced: nothing is left to resolve."""
    found = rehearsed(declared, _facts(declared))

    assert "production" not in found.model_dump_json().lower()
    assert "production" not in "".join(inventory_files(found).values()).lower()


@given(stack())
def test_a_rehearsal_reaches_no_server_of_production(declared: Stack) -> None:
    """SSH goes to the lab's hosts by the lab's key and known hosts, updates go to the lab's name server."""
    found = rehearsed(declared, _facts(declared))

    for host in found.hosts:
        assert host.ssh.hostname == str(host.addresses[0])
        assert (host.ssh.key, host.ssh.known_hosts, host.ssh.port) == ("/lab/ssh_key", "/lab/known_hosts", 22)
        assert host.ssh.host_key == "SHA256:" + "A" * 43
    assert {str(p.server) if isinstance(p, Rfc2136) else p.provider for p in found.dns.values()} == {"198.18.0.2"}
    assert found.state_dir is None


@given(stack())
def test_a_rehearsal_asks_the_labs_authority_for_certificates(declared: Stack) -> None:
    """An account of production's is not used, the lab's root is trusted, and all else is asked for as in production."""
    found = rehearsed(declared, _facts(declared))

    assert (found.acme.directory, found.acme.trust) == ("https://acme.lab.example/dir", "/lab/authority.pem")
    assert found.acme.external_account is None
    assert found.acme.contact == declared.acme.contact
    assert lab_spec("try", declared, 12).authority == (VALIDITY if asks_authority(declared) else None)


@given(stack())
def test_a_rehearsal_changes_nothing_else(declared: Stack) -> None:
    """Names, addresses, who is root, DKIM, SPF, DMARC, MX and all other settings are production's own."""
    found = rehearsed(declared, _facts(declared))

    assert found.domains == declared.domains
    assert found.dns.keys() == declared.dns.keys()
    assert found.smtp.model_copy(update={"probe_mx": declared.smtp.probe_mx}) == declared.smtp
    for before, after in zip(declared.hosts, found.hosts, strict=True):
        kept = {"ssh": before.ssh, "tls": before.tls if before.tls.mode == "file" else after.tls}
        assert after.model_copy(update=kept) == before
        assert (after.ssh.user, after.ssh.sudo) == (before.ssh.user, before.ssh.sudo)
    replaced = {"hosts", "dns", "acme", "key_store", "smtp", "state_dir", "rehearsal"}
    rest = Stack.model_fields.keys() - replaced
    assert {name: getattr(found, name) for name in rest} == {name: getattr(declared, name) for name in rest}


@given(stack())
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_a_written_inventory_loads_as_the_same_stack(declared: Stack) -> None:
    """What a rehearsal provisions is exactly what it was asked to: nothing is lost on the way through files."""
    found = rehearsed(declared, _facts(declared))

    with tempfile.TemporaryDirectory() as folder:
        assert inventory.load(_written(found, Path(folder))).stack == found


@given(stack())
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_stack_can_be_written(declared: Stack) -> None:
    """A stack with secrets by reference loads back too: they are names, and stay names."""
    with tempfile.TemporaryDirectory() as folder:
        assert inventory.load(_written(declared, Path(folder))).stack == declared


def test_a_written_inventory_means_the_same_to_pyinfra(tmp_path: Path) -> None:
    """The stock command sees the rehearsal's hosts with the same data, by its own loader."""
    source = Path(__file__).parents[1] / "inventories" / "two-hosts"
    declared = inventory.load(source).stack
    file = _written(rehearsed(declared, _facts(declared)), tmp_path) / "inventory.py"

    done = subprocess.run(
        [sys.executable, "-c", _JUDGE, str(file)],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        env=dict(os.environ),
    )

    ours = convention.read(file)
    assert json.loads(done.stdout) == [[name, {**ours.data, **data}] for name, data in ours.hosts]
