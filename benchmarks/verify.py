"""What `verify` takes for one domain and for a thousand, against checkdmarc for the same subjects of the same zones."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import mail_zones
from benchmarks.measure import Contender, Result, Series, aim, interleaved, ratio

ROUNDS = 3
_MANY = 1_000
# As many single domains, one after the other: what one takes is too short to be timed.
_SINGLE = 20
# What both judge by asking a resolver. checkdmarc also lists the NS, which is one question of a domain.
_SUBJECTS = ("dns.exists", "dns.dnssec", "mx", "spf", "dmarc", "mta-sts", "tls-rpt", "bimi")
_NEED_SERVERS = ("mx.postmaster", "mx.abuse")


def measure(rounds: int) -> Result:
    """Measure both in a network of their own, with nothing in it but a resolver and them."""
    command = ["unshare", "--net", "--", sys.executable, "-m", "benchmarks.verify", str(rounds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode:
        # It has said what is missing.
        raise SystemExit(done.returncode)
    taken, computed = ({n: Series(n, tuple(s)) for n, s in by.items()} for by in json.loads(done.stdout))
    one, one_other, many, many_other = taken
    alone = [ratio(computed[a], computed[b]) for a, b in ((one_other, one), (many_other, many))]
    return Result(
        f"verify: {_SINGLE} times one domain, and {_MANY:,} domains",
        tuple(taken.values()),
        many,
        (
            aim("one domain: checkdmarc against verify", ratio(taken[one_other], taken[one]), at_least=10),
            aim(f"{_MANY:,} domains: checkdmarc against verify", ratio(taken[many_other], taken[many]), at_least=10),
            f"by computing alone: {alone[0]:.2f} and {alone[1]:.2f}",
        ),
    )


def _inside(rounds: int) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory(prefix="sendwright-bench-") as folder, mail_zones.resolver(Path(folder), _MANY):
        names = mail_zones.domains(_MANY)
        computed: dict[str, list[float]] = {}
        contenders = [
            _computing(computed, contender)
            for contender in (
                Contender("one domain: verify", lambda: _singly(_verify, names)),
                Contender("one domain: checkdmarc", lambda: _singly(_checkdmarc, names)),
                Contender("1,000 domains: verify", lambda: _verify(names)),
                Contender("1,000 domains: checkdmarc", lambda: _checkdmarc(names)),
            )
        ]
        series = interleaved(contenders, rounds)
    # The first of each is the warm one, which does not count.
    json.dump([{s.name: s.seconds for s in series}, {n: s[1:] for n, s in computed.items()}], sys.stdout)


def _computing(computed: dict[str, list[float]], contender: Contender) -> Contender:
    """Return a contender that also notes what its process computes: on a busy machine much of the time is waiting."""

    def run() -> None:
        started = time.process_time()
        contender.run()
        computed.setdefault(contender.name, []).append(time.process_time() - started)

    return Contender(contender.name, run)


def _singly(judge: Callable[[list[str]], None], names: list[str]) -> None:
    for name in names[:_SINGLE]:
        judge([name])


def _verify(names: list[str]) -> None:
    from sendwright.verify import verify

    report = verify(names, resolver=mail_zones.RESOLVER, only=_SUBJECTS, skip=_NEED_SERVERS)
    passed = {f.subject.name for f in report.findings if f.check == "spf.lookups" and f.status == "pass"}
    if passed != set(names):
        raise SystemExit(f"verify judged {len(passed)} of {len(names)} domains.")


def _checkdmarc(names: list[str]) -> None:
    import checkdmarc
    import checkdmarc.dnssec
    import checkdmarc.utils

    # What it remembers from call to call; the resolver has it all by then, for both.
    for cache in (checkdmarc.utils.DNS_CACHE, checkdmarc.dnssec.DNSSEC_CACHE, checkdmarc.dnssec.DNSKEY_CACHE):
        cache.clear()
    judged = checkdmarc.check_domains(names, nameservers=[mail_zones.RESOLVER], timeout=5.0)
    judged = judged if isinstance(judged, list) else [judged]
    passed = sum(bool(each["spf"]["valid"]) for each in judged)
    if passed != len(names):
        raise SystemExit(f"checkdmarc judged {passed} of {len(names)} domains.")


if __name__ == "__main__":
    _inside(int(sys.argv[1]))
