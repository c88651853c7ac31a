from pathlib import Path
from typing import Any

import pytest

from sendwright import verify_usage
from sendwright.errors import UsageError
from sendwright.report.findings import render
from sendwright.verify.catalogue import CHECKS
from tests.report.findings_worlds import BAD


def refused(*targets: str, **options: Any) -> str:
    """Return what is said of wrong arguments."""
    with pytest.raises(UsageError) as error:
        verify_usage.asked(targets, **options)
    return str(error.value)


def test_domains_are_verified_with_every_check_as_text() -> None:
    """A name is all that is needed; it may end in a dot, and be named twice."""
    found = verify_usage.asked(("Example.COM.", "example.com", "example.org"))

    assert found.domains == ("example.com", "example.org")
    assert found.inventory is None
    assert found.checks == {name for name, check in CHECKS.items() if check.needs not in {"an inventory", "--hosts"}}
    assert (found.form, found.files, found.timeout) == ("text", (), 10.0)


@pytest.mark.parametrize("target", ["mail", "./mail", "mail/inventory.py", "somewhere/else", "inventory.py"])
def test_a_folder_a_path_and_an_inventory_file_are_inventories(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether they exist is said by who reads them."""
    (tmp_path / "mail").mkdir()
    monkeypatch.chdir(tmp_path)

    assert verify_usage.asked((target,)).inventory == Path(target)


def test_a_folder_that_is_called_as_a_domain_is_one_only_if_it_holds_an_inventory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People keep a folder a domain, and mean the domain."""
    (tmp_path / "example.com").mkdir()
    monkeypatch.chdir(tmp_path)

    assert verify_usage.asked(("example.com",)).domains == ("example.com",)
    (tmp_path / "example.com" / "inventory.py").write_text("")
    assert verify_usage.asked(("example.com",)).inventory == Path("example.com")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """Each with what is allowed."""
    (tmp_path / "trust.pem").write_text("no certificate")
    told = refused(
        "exa mple.com",
        "https://example.org/",
        formats=("yaml", "text", "json", "junit=", "html=x", "sarif=x"),
        only=("spf.lokups", "dkimm"),
        selectors=("s!",),
        resolver="nowhere:0",
        timeout="never",
        trust=tmp_path / "trust.pem",
        baseline=tmp_path / "none.json",
        hosts=True,
    )

    assert told.startswith("14 mistakes; nothing was asked.")
    for part in (
        "exa mple.com: not a fully qualified",
        "https://example.org/: not a fully qualified",
        "--only spf.lokups: no such check (did you mean spf.lookups",
        "--only dkimm: no such check (did you mean dkim",
        "--hosts: only an inventory",
        "--format yaml: no such form",
        "--format text and json: only one goes to standard output",
        "--format junit=: name a file",
        "--format sarif=x: another form goes to that file",
        "--selector s!: no selector",
        "--resolver nowhere:0: no resolver",
        "--timeout never: seconds, from 0.1 to 600",
        f"--baseline {tmp_path / 'none.json'} cannot be read: No such file",
        "no certificate in PEM form",
    ):
        assert part in told


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("alice@example.com", "did you mean example.com?"),
        ("https://example.com:443/x", "did you mean example.com?"),
        ("example.com\nexample.org", "without quotes around all of them"),
        (" ".join(f"d{number}.example" for number in range(3000)), "without quotes around all of them"),
        ("", "'': no folder of that name is here"),
        ("alice@localhost", "at least two labels; nothing was asked."),
    ],
)
def test_what_is_nearly_a_domain_is_refused_with_what_may_be_meant(target: str, told: str) -> None:
    """People paste addresses, URLs and lists; a variable of CI may be empty."""
    assert told in refused(target)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"only": ("spf",), "skip": ("spf",)}, "leave no check"),
        ({"only": ("dkim.stale,host.queue",)}, "compare with an inventory"),
        ({"formats": ("junit",), "diff": Path("none.json")}, "changes are shown as text or json"),
    ],
)
def test_a_run_that_could_say_nothing_is_refused(options: dict[str, Any], told: str) -> None:
    """It would look like a success."""
    assert told in refused("example.com", **options)


def test_checks_of_hosts_alone_need_the_option_for_hosts(tmp_path: Path) -> None:
    """Who asks for them is told how."""
    assert "add --hosts" in refused(str(tmp_path), only=("host",))


def test_an_inventory_stands_alone(tmp_path: Path) -> None:
    """It says itself which domains there are."""
    assert "is an inventory: it is verified alone" in refused(str(tmp_path), "example.com")


def test_a_misspelt_folder_is_told_as_one() -> None:
    """Who meant an inventory need not guess why it is no domain."""
    assert "mial: no folder of that name is here, and it is not a fully qualified domain name" in refused("mial")


def test_nothing_to_verify_is_a_mistake() -> None:
    """The command line says so by itself; the library too."""
    assert "name what to verify" in refused()


def test_checks_are_chosen_by_name_and_by_group() -> None:
    """Repeated, joined by commas, and less those that are left out."""
    found = verify_usage.asked(("example.com",), only=("spf, dkim.present", "mx"), skip=("spf.ptr",))

    groups = {"spf", "mx"}
    chosen = {n for n, c in CHECKS.items() if (c.group in groups or n == "dkim.present") and c.needs != "an inventory"}
    assert found.checks == chosen - {"spf.ptr"}


def test_checks_of_an_inventory_are_made_for_one_only(tmp_path: Path) -> None:
    """And those of hosts when asked for."""
    outside, inside = verify_usage.asked((str(tmp_path),)), verify_usage.asked((str(tmp_path),), hosts=True)

    assert {CHECKS[name].needs for name in inside.checks - outside.checks} == {"--hosts"}
    assert inside.checks == set(CHECKS)


def test_reports_go_to_files_and_text_to_the_terminal(tmp_path: Path) -> None:
    """Unless another form is asked for there."""
    both = ("junit=a.xml", "sarif=b.sarif")

    assert verify_usage.asked(("example.com",), formats=both).form == "text"
    assert verify_usage.asked(("example.com",), formats=(*both, "json")).form == "json"
    assert verify_usage.asked(("example.com",), formats=both).files == (
        (Path("a.xml"), "junit"),
        (Path("b.sarif"), "sarif"),
    )
    (tmp_path / "old.json").write_text(render(BAD, "json"))
    found = verify_usage.asked(("example.com",), baseline=tmp_path / "old.json", diff=tmp_path / "old.json")
    assert found.baseline == found.before
    assert set(found.baseline or ()) == set(BAD.findings)


@pytest.mark.parametrize(
    "address", ["192.0.2.53", "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]", "[2001:db8::53]:53"]
)
def test_a_resolver_is_an_address_with_a_port_or_without(address: str) -> None:
    """Of both families."""
    verify_usage.asked(("example.com",), resolver=address)


@pytest.mark.parametrize(
    "address", ["", "dns.example", "192.0.2.53:", "192.0.2.53:99999", "fe80::1%eth0", "[::1", "1.2.3.4:²"]
)
def test_what_is_no_address_is_no_resolver(address: str) -> None:
    """A name would have to be asked of another resolver."""
    assert "--resolver" in refused("example.com", resolver=address)
