"""A domain joins a world that lives: the old one goes on sending while the new one's keys are proven."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from sendwright import credentials
from sendwright.errors import LabError
from sendwright.rehearse import World
from sendwright.submission import Credential

pytestmark = pytest.mark.lab

PASSWORD = "correct-horse-battery-staple"


def test_a_new_domain_waits_while_the_old_one_goes_on_sending(
    bare: Callable[[], World], send: Callable[..., object]
) -> None:
    """Until it is proven its mail is deferred, never refused and never unsigned; then it is sent as the old one's."""
    world = bare()
    name, domain = world.declared.stack.hosts[0].name, world.declared.stack.domains[0].name
    old, new = (Credential(*who) for who in (("login", PASSWORD, f"a@{domain}"), ("new", PASSWORD, f"a@more-{domain}")))
    assert world.provision().returncode == 0
    with (world.folder / "group_data/all.py").open("a") as data:
        data.write(f"domains['more-{domain}'] = dict(domains['{domain}'])\n")
    credentials.add(world.folder, "new", (f"more-{domain}",), PASSWORD)

    world.lab.hold_secondary()
    command = world.lab.command([sys.executable, "-m", "sendwright", "provision", str(world.folder), "--yes"])
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        waits = any("waiting: " in line for line in process.stderr or ())
        of_old = send(world, name, old)
        with pytest.raises(LabError) as deferred:
            send(world, name, new)
    finally:
        world.lab.release_secondary()
        said = process.communicate(timeout=120)[1]

    assert waits
    assert str(of_old).count("pass") == 4
    assert f"Refused: (451, b'4.7.1 Try later: mail of a@more-{domain} cannot be signed" in str(deferred.value)
    assert process.returncode == 0, said
    assert str(send(world, name, new)).count("pass") == 4
    assert str(send(world, name, old)).count("pass") == 4
