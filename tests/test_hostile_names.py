"""No name or path gets past the inventory's door that a shell, a template or a terminal would make something of."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright import inventory
from sendwright.errors import InventoryError

# Not in any of the alphabets: shells, templates, master files, passwd files, header fields, terminals.
EVIL = "$`'\"\\;&|<>(){}[]*?!#^\n\r\t\0\x1b\x7f\u202e\u200b "
PLAIN = st.text("abcz019.-_", max_size=6)
HOSTILE = st.builds(lambda before, evil, after: before + evil + after, PLAIN, st.sampled_from(EVIL), PLAIN)
SHAPES = ("{}", "a{}", "{}a", "mx1{}.example.com", "mx1.example.com{}", "$({})", "{{{{{}}}}}", "-o{}")
# Records are text of several fields and lines, in parentheses where they are long.
RECORDS = set(string.ascii_letters + string.digits + " ._:;()+/=\t\n-")
OVERLAY = {"root_hints", "trust_anchor"}
FIELDS = (
    *("host", "domain", "ssh_hostname", "ssh_user", "ssh_key", "ssh_known_hosts_file", "ssh_host_key", "address"),
    *("provider", "server", "tsig_name", "environment", "passphrase_file", "alias", "alias_address", "forward"),
    *("include", "rua", "probe_mx", "certificate", "state_dir", "root_hints", "trust_anchor"),
)


def declared(**changed: Any) -> tuple[list[tuple[str, dict[str, Any]]], dict[str, Any]]:
    """Return a valid inventory's hosts and data in which one value is another."""
    value = {
        "host": "mx1.example.com",
        "domain": "example.com",
        "ssh_hostname": "192.0.2.1",
        "ssh_user": "admin",
        "ssh_key": "~/.ssh/id",
        "ssh_known_hosts_file": "known",
        "ssh_host_key": "SHA256:" + "A" * 43,
        "address": "203.0.113.10",
        "provider": "main",
        "server": "192.0.2.53",
        "tsig_name": "sendwright",
        "environment": "TSIG",
        "passphrase_file": "phrase",
        "alias": "sales",
        "alias_address": "me@example.net",
        "forward": "me@example.net",
        "include": "_spf.example.net",
        "rua": "mailto:a@example.net",
        "probe_mx": "mx.example.net",
        "certificate": "chain.pem",
        "state_dir": "state",
        "root_hints": ". NS a.",
        "trust_anchor": ". DS 1",
    } | changed
    if changed.keys() & OVERLAY:
        value["server"] = "198.18.0.11"  # a lab's: nowhere else may there be an overlay
    host = {
        "egress": [{"public": value["address"]}],
        "tls": {"mode": "file", "certificate": value["certificate"], "key": {"file": "key.pem"}},
        **{key: value[key] for key in value if key.startswith("ssh_")},
    }
    domain = {
        "dns": value["provider"],
        "hosts": [value["host"]],
        "spf": {"include": [value["include"]]},
        "dmarc": {"rua": [value["rua"]]},
        "receive": {"forward": value["forward"], "aliases": {value["alias"]: value["alias_address"]}},
    }
    tsig = {"name": value["tsig_name"], "secret": {"env": value["environment"]}}
    data = {
        "dns": {value["provider"]: {"provider": "rfc2136", "server": value["server"], "tsig": tsig}},
        "domains": {value["domain"]: domain},
        "smtp": {"probe_mx": value["probe_mx"]},
        "key_store": {"passphrase": {"file": value["passphrase_file"]}},
        "state_dir": value["state_dir"],
        **({"rehearsal": {k: value[k] for k in OVERLAY}} if changed.keys() & OVERLAY else {}),
    }
    return [(value["host"], host)], data


def test_the_inventory_that_is_changed_here_is_valid() -> None:
    """So that each refusal below is for the one value that was changed."""
    assert inventory.parse(*declared(), "inventory.py").hosts


@pytest.mark.parametrize("setting", FIELDS)
@given(hostile=HOSTILE, shape=st.sampled_from(SHAPES))
def test_a_value_with_a_character_that_means_something_elsewhere_is_refused(
    setting: str, hostile: str, shape: str
) -> None:
    """In every field; the message says where, and can itself be printed on a terminal."""
    value = shape.format(hostile)
    if setting in OVERLAY and set(value) <= RECORDS:
        value += "$"

    with pytest.raises(InventoryError) as refused:
        inventory.parse(*declared(**{setting: value}), "inventory.py")

    assert all(str(problem).isprintable() for problem in refused.value.problems)
