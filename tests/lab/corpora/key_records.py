"""DKIM key records of other projects' tests, with what those projects say of each."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import PurePosixPath

import yaml

from sendwright.verify.records.dkim_record import looks_like_key
from tests.lab.corpora.material import Sdist, Upstream, unpacked

MAIL_DKIM = Upstream(
    "pool/main/libm/libmail-dkim-perl/libmail-dkim-perl_1.20240923.orig.tar.gz",
    "45de46f5dc4d23bcb6ad6401759881dd43968eab20e73f6f79d9557467de20ee",
)
OPENDKIM = Upstream(
    "pool/main/o/opendkim/opendkim_2.11.0~beta2.orig.tar.gz",
    "b3052047279fe6f114cc36b0080bd3db185ed0cc98363327ac5c53d511850016",
)
RSPAMD = Upstream(
    "pool/main/r/rspamd/rspamd_3.4.orig.tar.xz", "a7dad761aa6bbc666b7977dfd741b240bf02cff8779e088f17dbfa74d5429f8a"
)
DKIMPY = Sdist("dkimpy==1.1.8", "b5f60fb47bbf5d8d762f134bcea0c388eba6b498342a682a21f1686545094b77")

_SIGNATURES = ("DKIM-Signature", "DomainKey-Signature", "ARC-Seal", "ARC-Message-Signature")


@dataclass(frozen=True)
class Case:
    """A key record. ``usable``: what its project's tests say, None if nothing; ``bits``: a size that they name."""

    corpus: str
    name: str
    text: str
    usable: bool | None = None
    bits: int | None = None


def mail_dkim() -> Iterator[Case]:
    """Yield those of Perl's Mail::DKIM: a key is usable if a signature by it passes, or fails by what was signed."""
    files = unpacked(MAIL_DKIM, "t/FAKE_DNS.dat", "t/verifier.t", "t/corpus/*")
    script = re.sub(r"^SKIP:\s*\{.*?^\}", "", files["t/verifier.t"].decode(), flags=re.MULTILINE | re.DOTALL)
    verdicts: dict[str, set[bool]] = defaultdict(set)
    for file, result in re.findall(r'test_email\(\s*"(.+?)",\s*"(\w+)"', script):
        names = _signers(files[f"t/corpus/{file}"])
        # An invalid signature may be so for another reason, unless the test says that its key is.
        if len(names) == 1 and (result != "invalid" or file.startswith("badkey")):
            verdicts[names.pop()].add(result != "invalid")
    for line in files["t/FAKE_DNS.dat"].decode().splitlines():
        name, _, text = line.partition(" ")
        if "_domainkey" in name and not text.strip().startswith(("NXDOMAIN", "~~")):
            yield Case("Mail::DKIM", name, text.strip(), _verdict(verdicts[name]))


def arc_suite() -> Iterator[Case]:
    """Yield those of ValiMail's ARC test suite, as Mail::DKIM carries it: a key is usable if a chain by it passes."""
    (file,) = unpacked(MAIL_DKIM, "t/arc_test_suite/arc-draft-validation-tests.yml").values()
    for scenario in yaml.safe_load_all(file):
        verdicts: dict[str, set[bool]] = defaultdict(set)
        for title, test in scenario["tests"].items():
            for name in _signers(test["message"].encode()):
                if test["cv"] == "Pass" or title == "public_key_invalid":
                    verdicts[name].add(test["cv"] == "Pass")
        for name, text in scenario["txt-records"].items():
            size = re.match(r"\d+", name)
            usable = _verdict(verdicts[name])
            yield Case("ARC test suite", f"{scenario['description']}: {name}", text, usable, size and int(size[0]))


def opendkim() -> Iterator[Case]:
    """Yield those of OpenDKIM: which are broken, and how, their names say."""
    files = unpacked(OPENDKIM, "libopendkim/tests/t-testdata.h", "opendkim/tests/pubkeys")
    header = files["libopendkim/tests/t-testdata.h"].decode()
    for name, value in re.findall(r'^#define\s+(PUBLICKEY\w*)\s+((?:"[^"]*"[\s\\]*)+)', header, re.MULTILINE):
        usable = not re.search("BAD[HKV]|EMPTYP|NOP|CORRUPTP", name)
        yield Case("OpenDKIM", name, "".join(re.findall('"([^"]*)"', value)), usable)
    for line in files["opendkim/tests/pubkeys"].decode().splitlines():
        name, _, text = line.replace("\t", " ").partition(" ")
        if "._domainkey" in name and not name.startswith("_"):
            yield Case("OpenDKIM", name, text.strip(), not name.startswith("revoked"))


def rspamd() -> Iterator[Case]:
    """Yield those of Rspamd: a key is usable if a signature by it is allowed, or rejected by what was signed."""
    files = unpacked(
        RSPAMD, "test/functional/configs/plugins.conf", "test/functional/cases/*.robot", "*/messages/*", "*/dmarc/*"
    )
    verdicts: dict[str, set[bool]] = defaultdict(set)
    robot = files["test/functional/cases/116_dkim.robot"].decode()
    scanned = r"Scan File +\$\{RSPAMD_TESTDIR\}/(\S+).*?R_DKIM_(\w+)"
    for file, symbol in re.findall(scanned, robot, re.DOTALL):
        if message := files.get(f"test/functional/{file}"):
            for name in _signers(message):
                verdicts[name].add(symbol != "PERMFAIL")
    config = files["test/functional/configs/plugins.conf"].decode()
    records = r'name = "(\S+\._domainkey\.\S+)"[^}]*?replies = \["([^"]*)"\]'
    for name, text in re.findall(records, config):
        yield Case("Rspamd", name, text, _verdict(verdicts[name]))


def dkimpy() -> Iterator[Case]:
    """Yield those of dkimpy: in files, whose names say which are broken and how large they are, and in its tests."""
    files = unpacked(DKIMPY, "dkim/tests/data/*.txt", "dkim/tests/data/*.dns", "dkim/tests/test_*.py")
    for path, content in files.items():
        name = PurePosixPath(path).name
        if path.endswith(".py"):
            keys = [text for text in _strings(content) if looks_like_key(text)]
            yield from (Case("dkimpy", f"{name} {number}", text) for number, text in enumerate(dict.fromkeys(keys)))
        else:
            size = re.match(r"(?:1024|2048)(?=_)", name)
            yield Case("dkimpy", name, content.decode().strip(), "bad" not in name, size and int(size[0]))


def _strings(source: bytes) -> Iterable[str]:
    return (n.value for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Constant) and isinstance(n.value, str))


def _signers(message: bytes) -> set[str]:
    """Return the names of the keys that a message's signatures point to."""
    headers = message_from_bytes(message)
    fields = [str(field) for header in _SIGNATURES for field in headers.get_all(header, [])]
    tags = [dict(re.findall(r"(?:^|;)\s*([sd])\s*=\s*([^\s;]+)", field)) for field in fields]
    return {f"{found.get('s', '')}._domainkey.{found.get('d', '')}" for found in tags}


def _verdict(said: Iterable[bool]) -> bool | None:
    return any(said) if [*said] else None
