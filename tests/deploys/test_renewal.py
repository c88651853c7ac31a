"""How a host renews by itself: the program as it is installed, with stand-ins for certbot and systemctl beside it."""

import importlib.util
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sendwright.deploys.material import Material
from sendwright.deploys.render import TEMPLATES
from sendwright.deploys.sender import services
from sendwright.service import File, Release, Running, Service
from sendwright.stack import Stack

PROGRAM = TEMPLATES / "renewal" / "renew.py"
NAMES = ("mx1.example.com", "mta-sts.example.com")
HOUR = timedelta(hours=1)

# Answers a request as the authority of the test: as its files say, for as long as they say.
_CERTBOT = """
    import json, os, sys, time
    from datetime import UTC, datetime, timedelta
    from pathlib import Path
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    here = Path({here!r})
    given = json.loads((here / "manner.json").read_text())
    argv = dict(zip(sys.argv, [*sys.argv[1:], ""]))
    (here / "asked.json").write_text(json.dumps([sys.argv, os.environ.get("REQUESTS_CA_BUNDLE")]))
    if given["fails"]:
        logs = Path(next(word for word in sys.argv if word.startswith("--logs-dir=")).partition("=")[2])
        logs.mkdir(parents=True, exist_ok=True)
        (logs / "letsencrypt.log").write_text(given["log"])
        sys.exit("Saving debug log to /x\\nDetail: \\x1b[1mmx1.example.com: no such name\\n")
    request = x509.load_pem_x509_csr(Path(argv["--csr"]).read_bytes())
    key = serialization.load_pem_private_key((here / given["signer"]).read_bytes(), None)
    mine = serialization.load_pem_private_key((here / given["key"]).read_bytes(), None) if given["key"] else request
    sans = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if given["names"]:
        sans = x509.SubjectAlternativeName([x509.DNSName(name) for name in given["names"]])
    issuer = x509.load_pem_x509_certificate((here / "root.pem").read_bytes())
    time.sleep(given["takes"])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(issuer.subject, x509.Name([]), mine.public_key(), 7)
    builder = builder.not_valid_before(now - timedelta(hours=given["before"]))
    builder = builder.not_valid_after(now + timedelta(days=given["days"]))
    leaf = builder.add_extension(sans, critical=True).sign(key, hashes.SHA256())
    if os.path.exists(argv["--fullchain-path"]):
        sys.exit("it is there already")
    Path(argv["--fullchain-path"]).write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
"""
_SYSTEMCTL = """
    import sys
    from pathlib import Path
    here = Path({here!r})
    with open(here / "reloaded", "a") as file:
        print(*sys.argv[1:], file=file)
    sys.exit((here / "refuses").exists())
"""


def _load() -> ModuleType:
    # The program is installed as a file, and imported here as one; its dataclasses look their module up by name.
    spec = importlib.util.spec_from_file_location("sendwright_renew", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


program: Any = _load()


def pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a key as it lies on a host."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def signed(
    signer: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
    began: timedelta,
    left: timedelta,
    names: tuple[str, ...] = NAMES,
) -> str:
    """Return a certificate, PEM; one without names is an authority's."""
    now = datetime.now(UTC)
    subject = x509.Name([] if names else [x509.NameAttribute(x509.NameOID.COMMON_NAME, "the test's root")])
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "the test's root")])
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), 5, now - began, now + left)
    builder = builder.add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
    if names:
        sans = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(sans, critical=True)
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@dataclass(frozen=True)
class Place:
    """A host as far as the program sees it: all in one folder."""

    folder: Path

    @property
    def chain(self) -> Path:
        """What is renewed."""
        return self.folder / "chain.pem"

    def holds(self, began: timedelta, left: timedelta, names: tuple[str, ...] = NAMES) -> str:
        """Put a certificate of the host's key in place."""
        key, root = (self.key(name) for name in ("key.pem", "root-key.pem"))
        self.chain.write_text(signed(root, key, began, left, names))
        return self.chain.read_text()

    def key(self, name: str) -> ec.EllipticCurvePrivateKey:
        """Return a key of that name, made at its first use."""
        file = self.folder / name
        if not file.exists():
            file.write_bytes(pem_of(ec.generate_private_key(ec.SECP256R1())))
        found = serialization.load_pem_private_key(file.read_bytes(), None)
        assert isinstance(found, ec.EllipticCurvePrivateKey)
        return found

    def answers(self, **manner: object) -> None:
        """Say what certbot brings."""
        usual = {
            "fails": False,
            "log": "",
            "signer": "root-key.pem",
            "key": "",
            "names": [],
            "days": 90,
            "before": 1,
            "takes": 0,
        }
        (self.folder / "manner.json").write_text(json.dumps({**usual, **manner}))

    def noted(self, *names: str) -> None:
        """Note that services have loaded all that lies there."""
        for name in names:
            (self.folder / "stamps" / name).write_text(program.digest(name, self.paths(name)) + "\n")

    def paths(self, name: str) -> list[str]:
        """Return the files that a service loads."""
        return [str(self.folder / "key.pem"), str(self.chain), str(self.folder / f"{name}.cf")]

    def stamp(self, name: str) -> str:
        """Return what is noted of a service."""
        return (self.folder / "stamps" / name).read_text().strip()

    @property
    def asked(self) -> Any:
        """How certbot was called last, and with which roots; None if it was not."""
        file = self.folder / "asked.json"
        return json.loads(file.read_text()) if file.exists() else None

    @property
    def reloaded(self) -> list[str]:
        """What systemctl was told since the last time that this was asked."""
        file = self.folder / "reloaded"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines

    @property
    def memory(self) -> dict[str, Any]:
        """What is remembered."""
        found: dict[str, Any] = json.loads((self.folder / "state" / "memory.json").read_text())
        return found

    def run(self, *argv: str) -> "subprocess.CompletedProcess[str]":
        """Run the program as its unit does."""
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        config = str(self.folder / "renewal.json")
        return subprocess.run(
            [sys.executable, str(PROGRAM), "--config", config, *argv],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PATH": path},
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A host with nginx and Postfix, which have loaded what lies there; its certificate has long to live."""
    found = Place(tmp_path)
    for folder in ("bin", "state", "stamps"):
        (tmp_path / folder).mkdir()
    for name, text in {"certbot": _CERTBOT, "systemctl": _SYSTEMCTL}.items():
        file = tmp_path / "bin" / name
        file.write_text(f"#!{sys.executable}\n{textwrap.dedent(text.format(here=str(tmp_path)))}")
        file.chmod(0o755)
    root = found.key("root-key.pem")
    (tmp_path / "root.pem").write_text(signed(root, root, HOUR, timedelta(3650), ()))
    for name in ("key.pem", "other.pem"):
        found.key(name)
    found.answers()
    found.holds(HOUR, timedelta(90))
    config = {
        "server": "https://ca.example/dir",
        "contact": ["a@example.com"],
        "webroot": "/var/lib/sendwright-acme",
        "state": str(tmp_path / "state"),
        "stamps": str(tmp_path / "stamps"),
        "roots": str(tmp_path / "root.pem"),
        "private": True,
        "certificates": [{"chain": str(found.chain), "key": str(tmp_path / "key.pem"), "names": NAMES}],
        "daemons": [
            {"name": name, "unit": f"{name}.service", "paths": found.paths(name)} for name in ("web", "postfix")
        ],
    }
    (tmp_path / "renewal.json").write_text(json.dumps(config))
    for name in ("web", "postfix"):
        (tmp_path / f"{name}.cf").write_text(name)
    found.noted("web", "postfix")
    return found


DUE = (timedelta(61), timedelta(29))


@pytest.mark.parametrize(
    ("began", "left", "asks"),
    [
        (timedelta(59), timedelta(31), False),
        (timedelta(61), timedelta(29), True),
        (timedelta(days=3, hours=23), timedelta(days=2, hours=1), False),
        (timedelta(days=4, hours=1), timedelta(days=1, hours=23), True),
        (timedelta(90), timedelta(-1), True),
    ],
    ids=["a month of three", "less", "two days of six", "less", "ended"],
)
def test_it_is_renewed_while_a_third_of_its_own_life_is_left(
    began: timedelta, left: timedelta, asks: bool, place: Place
) -> None:
    """By the certificate's life, not by days that somebody once thought of."""
    place.holds(began, left)

    done = place.run()

    assert done.returncode == 0, done.stderr
    assert (place.asked is not None) is asks


def test_a_renewed_certificate_has_the_key_that_tlsa_names_and_is_loaded_by_both_daemons(place: Place) -> None:
    """One file changes; what was noted of the daemons stays true, so that nobody reloads them again for it."""
    old = place.holds(*DUE)
    place.noted("web", "postfix")

    done = place.run()

    assert done.returncode == 0, done.stderr
    new = x509.load_pem_x509_certificate(place.chain.read_bytes())
    assert place.chain.read_text() != old
    assert new.public_key() == place.key("key.pem").public_key()
    assert program.names_of(new) == {*NAMES}
    assert place.reloaded == ["reload web.service", "reload postfix.service"]
    for name in ("web", "postfix"):
        assert place.stamp(name) == program.digest(name, place.paths(name))
    assert place.run().stdout == ""


def test_a_certificate_may_begin_when_it_is_made(place: Place) -> None:
    """Not all authorities let them begin an hour earlier, and proving the names takes a while."""
    place.holds(*DUE)
    place.answers(before=0, takes=1.1)

    done = place.run()

    assert done.returncode == 0, done.stderr


def test_what_sendwright_notes_is_what_a_host_notes() -> None:
    """Else each renewal would look like a change that somebody made."""
    files = (File("/etc/hosts", Path("/etc/hosts").read_text()), File("/etc/passwd", Path("/etc/passwd").read_text()))

    assert program.digest("web", [f.path for f in files]) == Service("web", files=files).digest


def test_the_authority_is_asked_with_the_hosts_key_by_http_and_judged_by_the_declared_roots(place: Place) -> None:
    """certbot makes no key and installs nothing; its account is the host's own."""
    place.holds(*DUE)

    place.run()

    argv, bundle = place.asked
    assert bundle == str(place.folder / "root.pem")
    options = " ".join(argv)
    for wanted in (
        "certonly --non-interactive --agree-tos",
        "--email a@example.com",
        "--server https://ca.example/dir --webroot --webroot-path /var/lib/sendwright-acme",
        "--preferred-challenges http --csr",
        f"--config-dir={place.folder}/state/certbot/config",
    ):
        assert wanted in options


# certbot's log, which has the authority's words where certbot stumbles over them.
_REFUSED = "".join(json.dumps({"detail": detail}, indent=1) + "\n" for detail in ("old", 'no "such"\x1b customer'))


@pytest.mark.parametrize(
    ("manner", "said"),
    [
        ({"fails": True}, "certbot: Detail: ?[1mmx1.example.com: no such name"),
        ({"fails": True, "log": _REFUSED}, 'no such name (the authority: no "such"? customer)'),
        ({"key": "other.pem"}, "what came is of another key"),
        ({"names": ["mx1.example.com"]}, "what came does not name mta-sts.example.com"),
        ({"days": 20}, "what came does not live longer than what is here"),
        ({"signer": "other.pem"}, "what came leads to no authority that is trusted"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_renewal_that_fails_leaves_what_works_and_says_why(
    manner: dict[str, object], said: str, place: Place
) -> None:
    """The unit fails, and goes on failing while it waits for its next try; nothing was touched."""
    old = place.holds(*DUE)
    place.noted("web", "postfix")
    place.answers(**manner)

    first = place.run()
    (place.folder / "asked.json").unlink()
    second = place.run()

    assert (first.returncode, second.returncode) == (1, 1)
    assert said in first.stderr
    assert said in second.stderr
    assert "the next try is after" in second.stderr
    assert place.asked is None
    assert place.chain.read_text() == old
    assert place.reloaded == []
    assert (place.memory["failures"], said in place.memory["said"]) == (1, True)


def test_a_renewal_that_works_again_forgets_its_failures(place: Place) -> None:
    """Asked for by hand, it does not wait."""
    place.holds(*DUE)
    place.answers(fails=True)
    place.run()
    place.answers()

    done = place.run("--force")

    assert done.returncode == 0, done.stderr
    assert place.memory["failures"] == 0
    assert place.memory["said"] == ""


def test_a_daemon_that_would_not_load_is_told_again_by_the_next_run(place: Place) -> None:
    """As is one that a killed run did not get to: the certificate lies there, and is not due any more."""
    place.holds(*DUE)
    place.noted("web", "postfix")
    (place.folder / "refuses").touch()

    refused = place.run()
    (place.folder / "refuses").unlink()
    first = place.reloaded
    done = place.run()

    assert refused.returncode == 1
    assert "web.service did not take the new certificate" in refused.stderr
    assert first == ["reload web.service"]
    assert done.returncode == 0, done.stderr
    assert place.reloaded == ["reload web.service", "reload postfix.service"]
    for name in ("web", "postfix"):
        assert place.stamp(name) == program.digest(name, place.paths(name))


def test_what_somebody_else_changed_is_not_noted_as_loaded(place: Place) -> None:
    """A file that differs from what the daemon had loaded is still the controller's to find."""
    place.holds(*DUE)
    place.noted("web", "postfix")
    (place.folder / "postfix.cf").write_text("edited")
    before = place.stamp("postfix")

    done = place.run()

    assert done.returncode == 0, done.stderr
    assert place.stamp("postfix") == before
    assert place.stamp("web") == program.digest("web", place.paths("web"))


def test_waits_grow_and_never_take_a_large_part_of_what_is_left() -> None:
    """An authority counts failures by the hour; a week's certificate has two days."""
    month, short = ([program.wait(n, window) / HOUR for n in range(1, 9)] for window in (timedelta(30), timedelta(2)))

    assert month == [1, 2, 4, 8, 12, 12, 12, 12]
    assert short == [1, 2, 4, 6, 6, 6, 6, 6]


MakeStack = Callable[..., Stack]
MakeMaterial = Callable[..., Material]


def config_of(stack: Stack, material: Material) -> Any:
    """Return what the program of a stack's first host is told."""
    found = services(stack, stack.hosts[0], Release.TRIXIE, material)
    return json.loads(next(str(f.content) for s in found for f in s.files if f.path.endswith("/renewal.json")))


def test_a_host_renews_what_the_authority_gave_and_only_names_that_are_still_declared(
    make_stack: MakeStack, make_material: MakeMaterial, place: Place
) -> None:
    """A name that is not declared any more leads elsewhere soon, and would have the whole order fail."""
    stack = make_stack(tls={"mode": "acme", "renewal": "host"})
    text = place.holds(*DUE, names=(*NAMES, "mta-sts.gone.example"))
    material = make_material()
    own = replace(material.certificate, mode="acme", chain=text)

    assert config_of(stack, material)["certificates"] == []
    (found,) = config_of(stack, replace(material, certificate=own))["certificates"]
    assert found["names"] == sorted(NAMES)
    assert found["chain"] == f"/etc/sendwright/tls/{'f' * 16}/chain.pem"


@pytest.mark.parametrize(
    ("acme", "roots", "trusted"),
    [
        ({}, None, "/etc/ssl/certs/ca-certificates.crt"),
        ({"directory": "staging"}, None, None),
        ({"directory": "https://ca.example/dir", "trust": "r.pem"}, "ROOT\n", "/etc/sendwright/renewal/roots.pem"),
    ],
    ids=["public", "staging", "private"],
)
def test_what_comes_is_judged_by_roots_that_fit_the_authority(
    acme: dict[str, object], roots: str | None, trusted: str | None, make_stack: MakeStack, make_material: MakeMaterial
) -> None:
    """Nobody trusts what is issued for trying out, and that is meant so."""
    stack = make_stack(tls={"mode": "acme", "renewal": "host"})
    changed = stack.model_copy(
        update={"acme": stack.acme.model_validate(stack.acme.model_dump() | acme), "roots": roots}
    )

    found = config_of(changed, make_material())

    assert (found["roots"], found["private"]) == (trusted, roots is not None)


def test_where_the_controller_renews_nothing_of_it_is_there(make_stack: MakeStack, make_material: MakeMaterial) -> None:
    """And the timer of a host that did it before is stopped."""
    stack = make_stack(tls="acme")

    (found,) = [s for s in services(stack, stack.hosts[0], Release.TRIXIE, make_material()) if s.name == "renewal"]

    assert not found.packages
    assert {unit.name: unit.state for unit in found.units} == {"sendwright-renewal.timer": Running.DOWN}
