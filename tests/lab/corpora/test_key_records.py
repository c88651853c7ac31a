"""How key records are judged here, beside the verdicts of other projects' tests on the same records."""

from collections import Counter
from collections.abc import Sequence

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from sendwright.verify.dkim_judged import judge
from sendwright.verify.finding import Kind, Status, Subject
from sendwright.verify.records.dkim_record import BadRecord, KeyRecord, parse
from tests.lab.corpora import key_records
from tests.lab.corpora.key_records import Case

pytestmark = pytest.mark.lab

# Short keys verify in old tests, whose size is the point of another check here.
_SIZE = "dkim.key-size"
_OF_THE_SIGNATURE = "t=s forbids what its one signature has, an i= below d=: no matter of the record (RFC 6376, 3.6.1)"
_NO_G = "g= is a tag of RFC 4871 that RFC 6376 dropped, and unknown tags are ignored (3.6.1)"
_SHA1 = "h=md5:sha1, and its signature is by SHA-1, which no verifier may take any more (RFC 8301, 3.1)"
_TLSRPT = "s=tlsrpt admits reports of TLS only (RFC 8460, 3): no mail is verified by it"
_HASHES = "it does not look at h= before it has a signature (RFC 6376, 3.6.1)"

# What differs from the verdicts of the projects' own tests, and why it stays so.
VERDICTS = {
    "test5._domainkey.messiah.edu": _OF_THE_SIGNATURE,
    "testbad8._domainkey.messiah.edu": _NO_G,
    "test2._domainkey.messiah.edu": _SHA1,
    "test_tlsrpt.txt": _TLSRPT,
}
# What differs from dkimpy's reading of the same records.
DKIMPY = {
    "testbad7._domainkey.messiah.edu": _HASHES,
    "PUBLICKEYBADH": _HASHES,
    "test_tlsrpt.txt": _TLSRPT,
}


@pytest.fixture(scope="module")
def cases() -> Sequence[Case]:
    """The records of all corpora."""
    return [
        *key_records.mail_dkim(),
        *key_records.arc_suite(),
        *key_records.opendkim(),
        *key_records.rspamd(),
        *key_records.dkimpy(),
    ]


def test_the_corpora_are_there_whole(cases: Sequence[Case]) -> None:
    """96 records of five projects, 73 different ones: 40 verify in their tests, 23 do not, and 8 have a size.

    None of what follows passes because there is nothing to judge.
    """
    counted = {"Mail::DKIM": 23, "ARC test suite": 16, "OpenDKIM": 14, "Rspamd": 14, "dkimpy": 29}
    assert Counter(case.corpus for case in cases) == counted
    assert Counter(case.usable for case in cases) == {True: 40, False: 23, None: 33}
    assert sum(case.bits is not None for case in cases) == 8
    assert len({case.text for case in cases}) == 73


def test_a_key_is_usable_here_where_it_is_in_its_projects_tests(cases: Sequence[Case]) -> None:
    """For mail, whatever its size: no alarm about a key that verifies, and none passes that does not."""
    judged = [case for case in cases if case.usable is not None]

    assert {case.name for case in judged if _usable(case) is not case.usable} == {*VERDICTS}


def test_a_key_is_usable_here_where_dkimpy_reads_it(cases: Sequence[Case]) -> None:
    """A second judge, who has no stake in what the tests of others say."""
    assert {case.name for case in cases if _usable(case) is not (_dkimpy(case) is not None)} == {*DKIMPY}


def test_a_key_has_the_size_that_openssl_and_dkimpy_and_its_name_say(cases: Sequence[Case]) -> None:
    """Both forms of RSA keys, from 512 bits on (RFC 6376 section 3.6.1, erratum 3017), and Ed25519 (RFC 8463)."""
    read = [(case, record) for case in cases if (record := _record(case)) and record.bits]

    assert len(read) == 76
    for case, record in read:
        if record.type == "rsa":
            assert record.bits == _openssl(record.key), case
        assert _dkimpy(case) in {None, record.bits}, case
        assert case.bits in {None, record.bits}, case


def _usable(case: Case) -> bool:
    judged = judge(Subject(Kind.DOMAIN, "example.com"), case.name, [case.text])
    failed = any(f.status is Status.FAIL and f.check != _SIZE for f in judged.findings)
    return judged.record is not None and not judged.record.revoked and not failed


def _record(case: Case) -> KeyRecord | None:
    try:
        return parse(case.text)
    except BadRecord:
        return None


def _openssl(key: bytes) -> int:
    public = load_der_public_key(key)
    assert isinstance(public, RSAPublicKey)
    return public.key_size


def _dkimpy(case: Case) -> int | None:
    """The size of the key that dkimpy makes of a record, if any."""
    try:
        _, bits, _, _ = dkim.evaluate_pk(case.name, case.text.encode())
    except (dkim.DKIMException, ValueError):
        return None
    return int(bits) if bits else None
