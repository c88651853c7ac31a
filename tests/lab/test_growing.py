"""A domain, or a second algorithm, joins a world that lives: what sent before goes on while new keys are proven."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from sendwright import credentials
from sendwright.errors import LabError
from sendwright.rehearse import World
from sendwright.submission import Credential

pytestmark = pytest.mark.lab

PASSWORD = "correct-horse-battery-staple"


@contextmanager
def provisioning(world: World) -> Iterator[None]:
    """Provision; yield when it waits for a secondary that has nothing new; let that one follow, and it ends well."""
    world.lab.hold_secondary()
    command = world.lab.command([sys.executable, "-m", "sendwright", "provision", str(world.folder), "--yes"])
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert any("waiting: " in line for line in process.stderr or ())
        yield
    finally:
        world.lab.release_secondary()
        said = process.communicate(timeout=120)[1]
    assert process.returncode == 0, said


def declare(world: World, line: str) -> None:
    """Add to what hosts share."""
    with (world.folder / "group_data/all.py").open("a") as data:
        data.write(f"{line}\n")


def test_a_new_domain_waits_while_the_old_one_goes_on_sending(
    bare: Callable[[], World], send: Callable[..., object]
) -> None:
    """Until it is proven its mail is deferred, never refused and never unsigned; then it is sent as the old one's."""
    world = bare()
    name, domain = world.declared.stack.hosts[0].name, world.declared.stack.domains[0].name
    old, new = (Credential(*who) for who in (("login", PASSWORD, f"a@{domain}"), ("new", PASSWORD, f"a@more-{domain}")))
    assert world.provision().returncode == 0
    declare(world, f"domains['more-{domain}'] = dict(domains['{domain}'])")
    credentials.add(world.folder, "new", (f"more-{domain}",), PASSWORD)

    with provisioning(world):
        of_old = send(world, name, old)
        with pytest.raises(LabError) as deferred:
            send(world, name, new)

    assert str(of_old).count("pass") == 4
    assert f"Refused: (451, b'4.7.1 Try later: mail of a@more-{domain} cannot be signed" in str(deferred.value)
    assert str(send(world, name, new)).count("pass") == 4
    assert str(send(world, name, old)).count("pass") == 4


def test_ed25519_joins_a_domain_whose_mail_waits_for_nothing(
    bare: Callable[[], World], send: Callable[..., object]
) -> None:
    """Until its key is proven RSA signs alone, as before."""
    world = bare()
    name, domain = world.declared.stack.hosts[0].name, world.declared.stack.domains[0].name
    login = Credential("login", PASSWORD, f"a@{domain}")
    declare(world, f"domains['{domain}'] |= {{'dkim': {{'algorithms': ['rsa']}}}}")
    assert world.provision().returncode == 0
    before = send(world, name, login)
    declare(world, f"domains['{domain}'] |= {{'dkim': {{'algorithms': ['rsa', 'ed25519']}}}}")

    with provisioning(world):
        meanwhile = send(world, name, login)

    assert [str(found).count("pass") for found in (before, meanwhile, send(world, name, login))] == [3, 3, 4]
