"""What the benchmarks compare with: the same resources, by other means."""

import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from benchmarks import fresh, plain
from sendwright.service import Directory, File, Running, Sealed, Service, SystemUser, Unit

_SERVICE = Service(
    "demo",
    packages=("demo", "common"),
    users=(SystemUser("demo", "/var/lib/demo"),),
    memberships=(("demo", "mail"),),
    directories=(Directory("/etc/demo", mode=0o750),),
    files=(File("/etc/demo/demo.conf", "a = 1\n", mode=0o640), File("/etc/demo/key.pem", Sealed("demo.key", "0" * 64))),
    absent=("/etc/demo/old.conf",),
    validate=("demo --check",),
    units=(Unit("demo.service"), Unit("old.service", Running.DOWN), Unit("package.service", Running.MASKED)),
    reload_units=("demo.service",),
)


def _open(sealed: Sealed) -> bytes:
    return f"opened {sealed.name}".encode()


def test_the_raw_script_is_a_posix_shell_script_that_does_all_of_it() -> None:
    """Packages, accounts, directories, files, validation and units: nothing that sendwright does is left out."""
    script = fresh.script((_SERVICE,))

    assert subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0
    for part in (
        "apt-get install -qy --no-install-recommends common demo",
        "useradd --system --home-dir /var/lib/demo demo",
        "usermod -aG mail demo",
        "install -d -o root -g root -m 750 /etc/demo",
        "rm -rf /etc/demo/old.conf",
        "demo --check",
        "systemctl mask package.service",
        "systemctl disable --now old.service",
        "systemctl restart demo.service",
    ):
        assert part in script


def test_the_raw_scripts_archive_holds_every_file_with_owner_and_mode() -> None:
    """Private files are in it as they are installed."""
    with tarfile.open(fileobj=io.BytesIO(fresh.archive((_SERVICE,), _open))) as tar:
        config, key = tar.getmembers()
        content = tar.extractfile(key)

        assert (config.name, config.mode, config.uname) == ("etc/demo/demo.conf", 0o640, "root")
        assert content is not None
        assert content.read() == b"opened demo.key"


def test_plain_pyinfra_gets_the_same_resources(tmp_path: Path) -> None:
    """Its inventory names every resource, and its files lie beside it where nobody else looks."""
    login = {"name": "mx1.example.com", "ssh_hostname": "192.0.2.1"}

    inventory = plain.write(tmp_path / "plain", (_SERVICE,), login, _open)

    scope: dict[str, Any] = {}
    exec(inventory.read_text(), scope)  # noqa: S102 - pyinfra executes inventories, too
    ((name, data),) = scope["hosts"]
    (service,) = data["services"]
    assert (name, data["ssh_hostname"]) == ("mx1.example.com", "192.0.2.1")
    assert service["packages"] == ["demo", "common"]
    assert service["up"] == ["demo.service"]
    assert service["down"] == ["old.service", "package.service"]
    assert [file[1:] for file in service["files"]] == [
        ["/etc/demo/demo.conf", "root", "root", "640"],
        ["/etc/demo/key.pem", "root", "root", "644"],
    ]
    assert Path(service["files"][1][0]).read_bytes() == b"opened demo.key"
    assert inventory.parent.stat().st_mode & 0o777 == 0o700
