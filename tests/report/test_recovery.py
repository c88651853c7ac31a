"""What a recovery found: lines for people, a document for programs, and no private key in either."""

import json
from datetime import UTC, datetime

from sendwright.errors import Unreachable
from sendwright.generation import Generation, Lineage
from sendwright.provision import Result
from sendwright.recovering import Recovery
from sendwright.recovery import Found
from sendwright.report.recovery import recovery_document, recovery_lines
from sendwright.stack import DkimAlgorithm
from sendwright.state.model import DkimKey, KeyStage

NOW = datetime(2026, 11, 22, 3, 30, tzinfo=UTC)
KEY = DkimKey(
    *("example.com", "r202611", DkimAlgorithm.RSA, "AAAA", "0" * 64, NOW, KeyStage.SIGNING),
    proven_on=("mx1.example.com",),
)
FOUND = Recovery(
    (Found(KEY, ("mx1.example.com",), b"the private part"),),
    Lineage(Generation(7, "a" * 32, NOW, "root@ci")),
    ("e202611._domainkey.example.com: DNS holds another key there\x1b[2J.",),
    ("The ledger is not recovered.",),
    (Unreachable("mx2.example.com", "no answer."),),
    Result.FAILED,
)


def test_people_read_what_is_to_be_written_what_is_not_and_what_is_left_to_them() -> None:
    """A line each, and nothing in it moves a cursor."""
    assert recovery_lines(FOUND).splitlines() == [
        "\x1b[1mTo be in the state folder again:\x1b[0m",
        "  \x1b[32m+\x1b[0m rsa key r202611._domainkey.example.com: signing on mx1.example.com",
        "  \x1b[32m+\x1b[0m generation 7, taken on 2026-11-22 03:30 UTC by root@ci: this folder goes on from there",
        "",
        "\x1b[1mLeft alone:\x1b[0m",
        "  e202611._domainkey.example.com: DNS holds another key there\\x1b[2J.",
        "",
        "\x1b[1mBesides:\x1b[0m",
        "  The ledger is not recovered.",
    ]
    assert recovery_lines(Recovery((), None, notes=FOUND.notes)) == "nothing to recover"


def test_programs_read_the_same() -> None:
    """By the schema that is documented."""
    document = json.loads(recovery_document(FOUND))

    assert document.pop("errors")[0]["error"] == "Unreachable"
    assert document == {
        "version": 1,
        "kind": "keys-recover",
        "result": "failed",
        "certificates": [],
        "keys": [
            {
                "domain": "example.com",
                "selector": "r202611",
                "algorithm": "rsa",
                "stage": "signing",
                "hosts": ["mx1.example.com"],
            }
        ],
        "generation": 7,
        "alone": list(FOUND.alone),
        "notes": list(FOUND.notes),
    }


def test_no_private_part_is_shown_even_by_mistake() -> None:
    """Not in lines, documents, or the text of the thing itself."""
    assert "private part" not in recovery_lines(FOUND) + recovery_document(FOUND) + repr(FOUND)
