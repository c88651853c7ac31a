"""What the web server of a host serves, under which names, with which certificates, and where there is none."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sendwright import inventory, sts
from sendwright.deploys.base import TLS
from sendwright.deploys.material import Material
from sendwright.deploys.sender import services
from sendwright.deploys.web import web
from sendwright.service import File, Release, Running, Sealed, Service, Socket
from sendwright.stack import Domain, Stack
from sendwright.state.model import Certificate, Claim, State

MakeStack = Callable[..., Stack]
MakeMaterial = Callable[..., Material]
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def chain(*names: str) -> str:
    """Return a certificate that holds names."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([])
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1, NOW, NOW + timedelta(90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def of(stack: Stack, material: Material) -> Service:
    """Return the web server of a stack's first host."""
    return web(stack, stack.hosts[0], material)


def conf(service: Service) -> str:
    """Return what nginx is told."""
    return next(str(f.content) for f in service.files if f.path.endswith("/nginx.conf"))


def policies(service: Service) -> dict[str, str]:
    """Return the served texts by the names of their files."""
    return {f.path.rpartition("/")[2]: str(f.content) for f in service.files if "/policies/" in f.path}


@pytest.mark.parametrize(
    ("tls", "ports"),
    [
        ("self-signed", None),
        ({"mode": "internal-ca"}, None),
        ("acme", (80, 443)),
        ({"mode": "acme", "challenge": "dns-01"}, (80, 443)),
    ],
)
def test_a_host_without_certificates_that_others_trust_runs_no_web_server(
    tls: str | dict[str, object], ports: tuple[int, ...] | None, make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """It would have nothing to say; and what else somebody runs there is not touched."""
    found = of(make_stack(tls=tls), make_material())

    assert found.listens == tuple(Socket(port) for port in ports or ())
    assert bool(found.packages) is bool(ports)
    if not ports:
        assert {unit.name: unit.state for unit in found.units} == {"sendwright-web.service": Running.DOWN}


@pytest.mark.parametrize(
    ("tls", "ports"),
    [
        ({"mode": "acme"}, ()),
        ({"mode": "acme", "challenge": "dns-01"}, ()),
        ({"mode": "acme", "challenge": "http-01"}, (80,)),
        ({"mode": "acme", "renewal": "host"}, (80,)),
    ],
)
def test_without_policies_only_who_proves_his_name_over_http_listens(
    tls: dict[str, object], ports: tuple[int, ...], make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """And on port 80 alone."""
    stack = make_stack(tls=tls, mta_sts={"mode": "off"})

    found = of(stack, make_material())

    assert found.listens == tuple(Socket(port) for port in ports)
    assert "443" not in (conf(found) if ports else "")


def test_a_name_in_a_zone_that_nobody_writes_is_proven_over_http(
    make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """There is no other way."""
    stack = make_stack(tls="acme", mta_sts={"mode": "off"})
    unwritten = stack.model_copy(update={"domains": tuple(d.model_copy(update={"dns": None}) for d in stack.domains)})

    assert of(unwritten, make_material()).listens == (Socket(80),)


def test_the_policy_that_is_served_is_the_one_that_its_record_tells_of(
    make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """To the byte, with every MX that caches may hold; the file is named after the record's id."""
    stack = make_stack(tls="acme")
    claim = Claim("example.com", "example.com", "MX", "10 old.example.com.", NOW, "main")
    other = replace(claim, name="example.net", value="10 else.example.net.")
    state = State(claims=(claim, other))
    material = Material.of(stack.hosts[0], make_material().certificate, state)

    found = of(stack, material)

    text = sts.policy(stack, stack.domain("example.com"), state.claims)
    assert text is not None
    assert "mx: old.example.com\r\n" in text
    assert policies(found) == {f"{sts.policy_id(text)}.txt": text}
    assert f"\n        mta-sts.example.com {sts.policy_id(text)}.txt;\n" in conf(found)


def test_domains_with_the_same_policy_share_its_file(make_material: MakeMaterial, make_stack: MakeStack) -> None:
    """Thousands of domains are a few files."""
    one = make_stack(tls="acme")
    domains = [Domain.model_validate({"name": f"d{number}.example", "dns": "main"}) for number in range(50)]
    enforced = Domain.model_validate({"name": "strict.example", "dns": "main", "mta_sts": {"mode": "enforce"}})

    found = of(one.model_copy(update={"domains": (*domains, enforced)}), make_material())

    assert len(policies(found)) == 2
    assert conf(found).count(".txt;\n") == 51


def test_each_name_is_shown_the_certificate_that_holds_it(make_stack: MakeStack, make_material: MakeMaterial) -> None:
    """A name without any gets the first: nobody asks for it yet. All files lie under their keys' tags."""
    stack = make_stack(tls="acme")
    domains = tuple(Domain.model_validate({"name": f"{name}.example", "dns": "main"}) for name in "abc")
    first = replace(make_material().certificate, chain=chain("mx1.example.com", "mta-sts.a.example"))
    second = replace(first, chain=chain("mta-sts.b.example"), number=1)
    third = replace(first, chain=chain("mta-sts.gone.example"), number=2)
    material = replace(make_material(), certificate=first, further=(second, third))

    found = of(stack.model_copy(update={"domains": domains}), material)

    folder = f"{TLS}/{'f' * 16}"
    blocks = {block.split(";")[0].split()[-1]: block for block in conf(found).split("ssl_certificate ")[1:]}
    assert blocks.keys() == {f"{folder}/chain.pem", f"{folder}/chain-1.pem"}
    assert _names(blocks[f"{folder}/chain.pem"]) == ["mta-sts.a.example", "mta-sts.c.example"]
    assert _names(blocks[f"{folder}/chain-1.pem"]) == ["mta-sts.b.example"]
    assert [f.path for f in found.files if f.path.startswith(TLS)] == [
        f"{folder}/{name}.pem" for name in ("key", "chain", "chain-1")
    ]


def _names(block: str) -> list[str]:
    return block.split("server_name")[1].split(";", maxsplit=1)[0].split()


def test_nginx_changes_over_by_its_configuration_which_is_written_last(
    make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """A run that dies before leaves the old one whole; what it does not name any more goes after it has loaded."""
    found = of(make_stack(tls="acme"), make_material())

    assert found.files[-1].path.endswith("/nginx.conf")
    assert [d.path for d in found.directories if d.exclusive] == ["/etc/sendwright/web/policies"]


def test_a_certificate_of_which_only_the_chain_is_new_is_loaded_by_both_daemons(
    make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """A renewal reloads nginx and Postfix, and nothing else."""
    stack, before = make_stack(tls="acme"), make_material()
    after = replace(before, certificate=replace(before.certificate, chain=chain("mx1.example.com")))

    old, new = (services(stack, stack.hosts[0], Release.TRIXIE, material) for material in (before, after))

    assert [s.name for s, earlier in zip(new, old, strict=True) if s.digest != earlier.digest] == ["web", "postfix"]
    changed = {f for s in new for f in s.files} - {f for s in old for f in s.files}
    assert [f.path for f in changed] == [f"{TLS}/{'f' * 16}/chain.pem"]


def test_postfix_clears_old_keys_and_nginx_has_loaded_the_new_ones_by_then(
    make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """Whoever comes last clears; a name whose certificate has yet another key keeps that."""
    stack = make_stack(tls="acme")
    further = Certificate("mx1.example.com", "acme", chain("mta-sts.example.com"), Sealed("k", "a" * 64), NOW, NOW, 1)

    found = services(stack, stack.hosts[0], Release.BOOKWORM, replace(make_material(), further=(further,)))

    names = [s.name for s in found]
    assert names.index("web") < names.index("postfix") == len(names) - 1
    web_files: set[File] = set(found[names.index("web")].files)
    assert {f.path for f in web_files if f.path.startswith(TLS)} == {
        f"{TLS}/{'a' * 16}/key.pem",
        f"{TLS}/{'a' * 16}/chain-1.pem",
    }


def shared(*renewal: str) -> Stack:
    """Return hosts that serve one policy together, each renewed by whom is said."""
    server = {"provider": "rfc2136", "server": "192.0.2.53", "tsig": {"name": "a", "secret": {"env": "ANY"}}}
    addresses = (["203.0.113.1"], ["203.0.113.2", "2001:db8::2"], ["2001:db8::3"])
    hosts = [
        (
            f"mx{number}.example.com",
            {"egress": [{"public": a} for a in found], "tls": {"mode": "acme", "renewal": by}},
        )
        for number, (found, by) in enumerate(zip(addresses, renewal, strict=True), 1)
    ]
    return inventory.parse(hosts, {"dns": {"main": server}, "domains": {"example.com": {"dns": "main"}}}, "a test")


def test_an_answer_that_lies_on_another_host_is_fetched_from_there(make_material: MakeMaterial) -> None:
    """A name that leads to several hosts is looked at on any of them; nobody asks for what was asked of him."""
    stack = shared("host", "host", "host")

    asked = {
        host.name: [
            line.split()[1] for line in conf(web(stack, host, make_material())).splitlines() if ":80 max" in line
        ]
        for host in stack.hosts
    }

    assert asked == {
        "mx1.example.com": ["203.0.113.2:80"],
        "mx2.example.com": ["203.0.113.1:80", "[2001:db8::3]:80"],
        "mx3.example.com": ["[2001:db8::2]:80"],
    }
    text = conf(web(stack, stack.hosts[0], make_material()))
    first = text[text.index("default_server") : text.index("upstream others")]
    assert "proxy_pass" not in first
    assert "try_files" not in first


@pytest.mark.parametrize("renewal", [("controller", "controller", "controller"), ("host", "controller", "controller")])
def test_nobody_is_asked_who_has_no_answer_of_his_own(renewal: tuple[str, ...], make_material: MakeMaterial) -> None:
    """The controller's answers lie on all hosts."""
    stack = shared(*renewal)

    assert "upstream others" not in conf(web(stack, stack.hosts[0], make_material()))


def test_who_asks_for_another_name_gets_no_certificate(make_stack: MakeStack, make_material: MakeMaterial) -> None:
    """Nor anything but challenges over HTTP: this is no site."""
    text = conf(of(make_stack(tls="acme", ipv6=False), make_material()))

    assert 'listen 443 ssl default_server;\n        server_name "";\n        ssl_reject_handshake on;' in text
    assert "[::]" not in text
    assert text.count("default_server") == 2
    assert "server_tokens off;" in text
