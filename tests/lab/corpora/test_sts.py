"""How policies and records of MTA-STS are judged here, beside the verdicts of postfix-mta-sts-resolver's tests."""

import ast
import re
from collections.abc import Callable, Mapping

import pytest

from sendwright.verify.records import sts_policy, sts_record
from sendwright.verify.records.sts_record import StsSyntaxError
from tests.lab.corpora.material import Upstream, unpacked

pytestmark = pytest.mark.lab

RESOLVER = Upstream(
    "pool/main/p/postfix-mta-sts-resolver/postfix-mta-sts-resolver_1.5.0.orig.tar.gz",
    "efa55e7a7c9d3c26dc142c1a6b63f55e37c41c9fd72bd64c4feb0dbf0e9f5948",
)
# Good policies that are refused for how they are served, which is judged where they are fetched (RFC 8461, 3.3).
SERVED = {
    "bad-policy3.loc": "it comes as text/html",
    "bad-policy4.loc": "it comes with the status 404",
    "bad-cert1.loc": "its certificate is of no authority that is trusted",
    "bad-cert2.loc": "its certificate is for another name",
}
# Good records there that the grammar of RFC 8461, 3.1, does not have, so that senders may pass over them.
EMPTY_FIELDS = {"v=STSv1; id=20160831085700Z;;;": "fields between its semicolons are empty"}


class Suite:
    """What its tests serve for each domain, and the status that they expect (``VALID``, ``NONE``, ``FETCH_ERROR``)."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        text = {name: content.decode() for name, content in files.items()}
        self.statuses = _statuses(text["tests/test_resolver.py"])
        self.records = dict(
            re.findall(r'^txt-record=_mta-sts\.(\S+?),"(.*)"$', text["tests/dnsmasq.conf.appendix"], re.MULTILINE)
        )
        parsed = re.findall(r'^ +(\("[^"]*", \{.*\}\)),$', text["tests/test_utils.py"], re.MULTILINE)
        self.parsed: dict[str, dict[str, str]] = dict(ast.literal_eval(pair) for pair in parsed)
        self.policies = {}
        for server in text["tests/nginx.conf"].split("server_name mta-sts.")[1:]:
            domain, _, rest = server.partition(";")
            self.policies[domain] = _said(rest)


@pytest.fixture(scope="module")
def suite() -> Suite:
    """The suite, fetched."""
    return Suite(unpacked(RESOLVER, "tests/test_*.py", "tests/dnsmasq.conf.appendix", "tests/nginx.conf"))


def test_policies_are_taken_where_the_resolver_takes_them(suite: Suite) -> None:
    """15 policies, 12 of which no sender may take: 4 of these only for how they are served."""
    judged = {domain: policy for domain, policy in suite.policies.items() if domain in suite.statuses}
    differing = {
        d for d, policy in judged.items() if _taken(sts_policy.parse, policy) != (suite.statuses[d] == "VALID")
    }

    assert len(judged) == 15
    assert sum(suite.statuses[domain] == "VALID" for domain in judged) == 3
    assert differing == {*SERVED}


def test_records_are_taken_where_the_resolver_takes_them(suite: Suite) -> None:
    """Those of 18 domains and 9 more, 13 different ones, of which 6 are broken.

    A domain whose policy is asked for, however that ends, has a good record.
    """
    judged = {record: suite.statuses[d] != "NONE" for d, record in suite.records.items() if d in suite.statuses}
    judged |= {record: fields.get("v") == "STSv1" and "id" in fields for record, fields in suite.parsed.items()}
    differing = {record for record, taken in judged.items() if _record_taken(record) is not taken}

    assert (len(suite.records), len(suite.parsed)) == (19, 9)
    assert (len(judged), list(judged.values()).count(False)) == (13, 6)
    assert differing == {*EMPTY_FIELDS}


def _statuses(script: str) -> dict[str, str]:
    return dict(re.findall(r'\("([\w-]+\.loc)", FR\.(\w+)\)', script))


def _said(server: str) -> str:
    """Return the body that a server of nginx answers with: at once, or by a script that goes on beyond the limit."""
    if plain := re.search(r'return \d+ (".*");', server):
        return str(ast.literal_eval(plain[1]))
    lines = "".join(f"{line}\n" for line in re.findall(r'ngx\.say\("(.*)"\)', server))
    more = re.search(r'for i=0, (\d+), 1 do\s+ngx\.print\("(\w+)"\)', server)
    assert more is not None
    return lines + more[2] * (int(more[1]) + 1)


def _record_taken(text: str) -> bool:
    return sts_record.is_record(text) and _taken(sts_record.parse, text)


def _taken(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except StsSyntaxError:
        return False
    return True
