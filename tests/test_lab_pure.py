"""The parts of the lab that need no lab: what it would build, and what it would say of a mistake."""

from pathlib import Path

import pytest

from sendwright.errors import LabError
from sendwright.lab import HostSpec, LabSpec, RRset, ZoneSpec, images, login, processes, requirements, zones

ALL = ("com", "example.com", "mail.example.com", "sendwright-lab.example", ".")
INBOX = zones.Inbox("inbox.example", "ab" * 32)


def only(name: str, contents: tuple[ZoneSpec, ...]) -> ZoneSpec:
    """Return the one zone of this name."""
    (zone,) = [zone for zone in contents if zone.name == name]
    return zone


@pytest.mark.parametrize(
    ("zone", "above"),
    [
        ("mail.example.com", "example.com"),
        ("example.com", "com"),
        ("com", "."),
        ("sendwright-lab.example", "."),
    ],
)
def test_the_closest_zone_above_delegates(zone: str, above: str) -> None:
    """A zone inside another of the inventory's is delegated by it, not by the root."""
    assert zones.parent(zone, ALL) == above


def test_children_come_before_their_parents_and_the_root_last() -> None:
    """A parent needs the DS of its children, which exist only once these are signed."""
    spec = LabSpec("try", zones=(ZoneSpec("example.com"), ZoneSpec("mail.example.com")))

    names = [zone.name for zone in zones.plan(spec, INBOX)]

    assert names.index("mail.example.com") < names.index("example.com") < names.index(".")
    assert names[-1] == "."


def test_reverse_names_are_the_providers_and_forward_names_are_ours_to_publish() -> None:
    """A lab starts with a PTR for every host address, and without the host's A and AAAA."""
    host = HostSpec("mx1.example.com", ("203.0.113.10", "2001:db8::10"))

    contents = zones.plan(LabSpec("try", (host,), (ZoneSpec("example.com"),)), INBOX)

    reverse = {rrset.name: rrset.values for rrset in only("in-addr.arpa", contents).records}
    assert reverse["10.113.0.203.in-addr.arpa"] == ("mx1.example.com.",)
    assert {rrset.type for rrset in only("example.com", contents).records} == {"SOA", "NS"}


def test_records_of_others_are_there_from_the_start() -> None:
    """A zone holds what its specification says that somebody published in it."""
    foreign = RRset("example.com", "TXT", 300, ('"v=spf1 -all"',))

    contents = zones.plan(LabSpec("try", zones=(ZoneSpec("example.com", (foreign,)),)), INBOX)

    assert foreign in only("example.com", contents).records


def test_a_specification_is_refused_with_every_mistake_at_once() -> None:
    """A person corrects a specification once, not mistake by mistake."""
    hosts = (
        HostSpec("a.example.com", ("198.18.0.7",), 11),
        HostSpec("b.example.com", ("203.0.113.1",)),
        HostSpec("c.example.com", ("203.0.113.1", "no-address")),
        HostSpec("d.example.com", ()),
    )

    with pytest.raises(LabError) as error:
        LabSpec("Not A Name", hosts, (ZoneSpec("inbox.example"),)).check()

    for mistake in (
        "Not A Name",
        "release 11",
        "198.18.0.7",
        "both have 203.0.113.1",
        "no-address",
        "d.example.com",
        "inbox.example",
    ):
        assert mistake in str(error.value)


DEB822 = """\
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib

Types: deb
URIs: https://packages.example/apt
Suites: nodistro
Components: main
"""


def test_only_debians_own_main_component_is_taken_from_the_machines_sources() -> None:
    """An image of Debian 13 is built from the mirror that this Debian 12 machine uses, and from nothing else."""
    text = DEB822 + "\ndeb http://mirror.example/debian-security bookworm-security main non-free\n"

    sources = images.debian_sources(text, "trixie")

    assert [line.split()[2:] for line in sources.splitlines()] == [
        ["http://mirror.example/debian-security", "trixie-security", "main"],
        ["http://mirror.example/debian", "trixie", "main"],
        ["http://mirror.example/debian", "trixie-updates", "main"],
    ]


def test_sources_without_debian_are_refused() -> None:
    """Nothing can be built from other people's repositories."""
    with pytest.raises(LabError, match="no Debian release"):
        images.debian_sources("deb https://packages.example/apt nodistro main\n", "bookworm")


def test_an_image_is_built_anew_when_its_recipe_changes() -> None:
    """The recipe decides where an image lies, so a changed one is another image."""
    recipe = images.Recipe("try", "bookworm")

    assert images.path(recipe) != images.path(images.Recipe("try", "bookworm", download=("postfix",)))


def test_a_fingerprint_has_the_form_that_ssh_prints() -> None:
    """SHA256, a colon, 43 characters of base64 without padding."""
    algorithm, _, digest = login.generate().fingerprint.partition(":")

    assert algorithm == "SHA256"
    assert len(digest) == 43


def test_a_process_is_not_taken_for_another_of_its_number() -> None:
    """A number that was given anew is somebody else's process."""
    this = processes.current()

    assert this.alive
    assert not processes.Process(this.pid, this.started + 1).alive


def test_everything_that_a_machine_lacks_is_said_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A person installs what is missing with one command."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(LabError) as error:
        requirements.check()

    assert "systemd-nspawn is not installed" in str(error.value)
    assert "apt-get install --no-install-recommends iproute2 mmdebstrap systemd-container" in str(error.value)
