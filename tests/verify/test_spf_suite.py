"""The suite of RFC 7208 as a linter, from other hands: it comes with the source of pyspf, and is not kept here.

For each domain of the suite: where every case ends in permerror, a check has to fail; where none does, no check of the
record may.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import dns.name
import pytest
import yaml
from dns.rdata import Rdata, from_text
from dns.rdataclass import IN
from dns.rdatatype import SPF as SPF_TYPE
from dns.rdatatype import TXT as TXT_TYPE
from dns.rdtypes.ANY.SPF import SPF
from dns.rdtypes.ANY.TXT import TXT

from sendwright.verify.finding import Status
from sendwright.verify.look import Told
from sendwright.verify.spf import check
from sendwright.verify.target import Target
from tests.lab.corpora.material import Sdist, unpacked
from tests.verify.names import Names
from tests.verify.worlds import look_at

pytestmark = pytest.mark.lab

SOURCE = Sdist("pyspf==2.0.14", "57a7ef01bda090173aafb6af0106251686ed73f03db4e911fcd34c57fc347186")
RECORD = {"spf.syntax", "spf.single", "spf.includes", "spf.lookups"}
EXCEPTIONS = {
    # a, include (1 + 8), mx: the suite's sender matches ip4 before the mx, which is the eleventh. Whoever sends from
    # the MX gets a permerror, so the record is wrong though that case passes.
    ("Processing limits", "e8.example.com"),
}


@pytest.fixture(scope="module")
def suite() -> Sequence[Mapping[str, Any]]:
    """Return its scenarios, fetched by pip from the index that this machine uses."""
    (content,) = unpacked(SOURCE, "test/rfc7208-tests.yml").values()
    return list(yaml.safe_load_all(content))


def test_the_suite_of_rfc_7208_agrees_on_what_is_a_permanent_error(suite: Sequence[Mapping[str, Any]]) -> None:
    """Nothing missed, no false alarm, and each exception explained above."""
    judged = [judgement for scenario in suite for judgement in _judged(scenario)]

    missed = [j for j in judged if all(r == {"permerror"} for r in j.results) and not j.failed]
    false = [j for j in judged if not any("permerror" in r for r in j.results) and j.failed & RECORD]

    assert len(judged) > 150
    assert missed == []
    assert {j.place for j in false} == EXCEPTIONS


class Judgement:
    """What the suite expects of a domain, and which checks fail for it."""

    def __init__(self, place: tuple[str, str], results: Iterable[Iterable[str]], failed: Iterable[str]) -> None:
        self.place, self.results, self.failed = place, [set(r) for r in results], set(failed)

    def __repr__(self) -> str:
        return f"{self.place} {self.results} {self.failed}"


def _judged(scenario: Mapping[str, Any]) -> Iterator[Judgement]:
    look, expected = look_at(_names(scenario["zonedata"])), defaultdict(list)
    for case in scenario["tests"].values():
        sender = case["mailfrom"] or f"postmaster@{case['helo']}"
        result = case["result"]
        expected[sender.rpartition("@")[2].lower()].append([result] if isinstance(result, str) else result)
    for domain, results in expected.items():
        findings = list(check(Target(domain), look))
        failed = (f.check for f in findings if f.status is Status.FAIL)
        yield Judgement((scenario["description"], domain), results, failed)


def _names(zonedata: Mapping[str, Sequence[Any]]) -> Names:
    """Return a resolver of zone data: SPF stands for TXT too unless there is one, TIMEOUT for every other type."""
    records: dict[tuple[str, str], list[Rdata]] = defaultdict(list)
    told: dict[tuple[str, str], Told] = {}
    for owner, entries in zonedata.items():
        key = _name(owner).to_text(omit_final_dot=True).lower()
        pairs = [next(iter(entry.items())) for entry in entries if isinstance(entry, dict)]
        alone = not any(rdtype == "TXT" for rdtype, _ in pairs)
        for rdtype, value in pairs:
            if value != "NONE":
                records[key, rdtype].append(_rdata(rdtype, value))
                if rdtype == "SPF" and alone:
                    records[key, "TXT"].append(_rdata("TXT", value))
        if "TIMEOUT" in entries:
            types = ("A", "AAAA", "MX", "TXT", "PTR", "SPF")
            told |= {(key, rdtype): Told.FAILED for rdtype in types if (key, rdtype) not in records}
    return Names(records, told)


def _rdata(rdtype: str, value: Any) -> Rdata:
    if rdtype in {"SPF", "TXT"}:
        strings = [text.encode("latin-1") for text in ([value] if isinstance(value, str) else value)] or [b""]
        return SPF(IN, SPF_TYPE, strings) if rdtype == "SPF" else TXT(IN, TXT_TYPE, strings)
    if rdtype == "MX":
        return from_text(IN, rdtype, f"{value[0]} {_name(value[1]).to_text()}")
    return from_text(IN, rdtype, value if rdtype in {"A", "AAAA"} else _name(value).to_text())


def _name(text: str) -> dns.name.Name:
    labels = text.removesuffix(".").split(".") if text.strip(".") else []
    return dns.name.Name([*(label.encode("latin-1") for label in labels), b""])
