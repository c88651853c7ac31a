"""Proof by HTTP: the answers to ``http-01`` challenges (RFC 8555 section 8.3), on every host that may be asked."""

import http.client
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address

from sendwright.acme.faults import Faults, refuse
from sendwright.acme.proof import Challenge
from sendwright.acme.provable import answering
from sendwright.concurrently import concurrently
from sendwright.connections import Fleet
from sendwright.deploys import challenges as answers
from sendwright.dns.providers.patience import OutOfTime, within
from sendwright.errors import AuthorityRefused, HostError, NotProvable
from sendwright.escape import plain, printable
from sendwright.report.progress import Progress
from sendwright.ssh import Connection, Result
from sendwright.stack import Stack

Address = IPv4Address | IPv6Address
Fetch = Callable[[Address, str, str], bytes]
"""Fetch a path by HTTP from an address, as the host of a name; OSError if nothing is heard of it."""

_PORT = 80
_SECONDS = 5.0
_SECONDS_IN_ALL = 10.0
# An answer is a token and a thumbprint; more of it than this is no answer.
_LONGEST = 1024
_AT_ONCE = 16


def fetch(address: Address, name: str, path: str, port: int = _PORT) -> bytes:
    """Return what a host answers at a path, or its status line where that is not 200; OSError if it does not."""

    def ask() -> bytes:
        connection = http.client.HTTPConnection(str(address), port, timeout=_SECONDS)
        try:
            connection.request("GET", path, headers={"Host": name, "Connection": "close"})
            response = connection.getresponse()
            body = response.read(_LONGEST)
            return body if response.status == http.client.OK else f"{response.status} {response.reason}".encode()
        except http.client.HTTPException as error:
            return f"no HTTP ({type(error).__name__})".encode()
        finally:
            connection.close()

    return within(_SECONDS_IN_ALL, ask)


class HttpProof:
    """Shows the answers to ``http-01`` challenges while an authority looks; plays ``proof.Prove``.

    It is entered when every host that a name leads to has them: nobody knows which of them is asked. Raises NotShown if
    one cannot take them, or if somebody else answers at its addresses.

    Arguments: ``fleet``: what is connected; ``get``: how answers are looked at from here.
    """

    def __init__(self, fleet: Fleet, stack: Stack, progress: Progress, get: Fetch = fetch) -> None:
        self._fleet = fleet
        self._stack = stack
        self._progress = progress
        self._get = get

    @contextmanager
    def __call__(self, challenges: tuple[Challenge, ...]) -> Iterator[None]:
        """Show the answers to these challenges until the block ends."""
        asked = self._asked(challenges)
        given = {host: _input(mine) for host, mine in asked.items()}
        try:
            with self._progress.step("hosts have the answers to the authority's challenges"):
                self._put(asked, given)
                self._look(asked)
            yield
        finally:
            self._remove(asked)

    def _asked(self, challenges: tuple[Challenge, ...]) -> dict[str, list[Challenge]]:
        found: dict[str, list[Challenge]] = {}
        faults: Faults = {}
        for one in challenges:
            hosts = answering(self._stack, one.name)
            if not hosts:
                what = f"no host of the inventory answers for {one.name}, so http-01 cannot prove it."
                faults[one.name] = NotProvable(one.name, what)
            for host in hosts:
                if host.name not in self._fleet.hosts:
                    what = f"it may be asked for the answer of {one.name} too, and this run leaves it alone."
                    faults[one.name] = HostError(host.name, what, "Run it for all hosts that the name leads to.")
                found.setdefault(host.name, []).append(one)
        refuse(faults)
        return found

    def _put(self, asked: Mapping[str, list[Challenge]], given: Mapping[str, bytes]) -> None:
        done = self._fleet.each(given, lambda to: to.run(answers.put_command(), given[to.host.name]))
        faults: Faults = {}
        for host, mine in asked.items():
            error = _refusal(host, done[host]) if host in done else self._fleet.errors[host]
            faults |= {one.name: error for one in mine if error}
        refuse(faults)

    def _look(self, asked: Mapping[str, list[Challenge]]) -> None:
        """Look at what the authority is going to see, as far as that can be seen from here."""
        hosts = self._fleet.hosts
        todo = [(address, one) for host, mine in asked.items() for one in mine for address in hosts[host].addresses]
        unseen: set[str] = set()
        faults: Faults = {}
        for (address, one), found in concurrently(self._seen, todo, _AT_ONCE):
            if isinstance(found, OSError):
                unseen.add(f"port {_PORT} of {address} cannot be looked at from here ({found.strerror or found})")
            elif found.rstrip() != one.authorization.encode():
                said = plain(found[:60].decode("latin-1"))
                what = f"{one.name} cannot be proven by http-01: at port {_PORT} of {address} is {said!r} instead of"
                hint = "Does another web server listen there, or something in front of the host?"
                faults[one.name] = NotProvable(one.name, f"{what} what the authority asks for.", hint)
        for text in sorted(unseen):
            self._progress.note(text)
        refuse(faults)

    def _seen(self, wanted: tuple[Address, Challenge]) -> bytes | OSError:
        address, challenge = wanted
        try:
            return self._get(address, challenge.name, challenge.path)
        except (OSError, OutOfTime) as error:
            return error

    def _remove(self, asked: Mapping[str, list[Challenge]]) -> None:
        def take(to: Connection) -> Result:
            tokens = (challenge.token for challenge in asked[to.host.name])
            return to.run(answers.remove_command(), answers.remove_input(tokens))

        for host, result in self._fleet.each(asked, take).items():
            if not result.ok:
                self._progress.say(f"  {host}: answers to challenges are left there; they mean nothing to anybody else")


def _input(challenges: list[Challenge]) -> bytes:
    try:
        return answers.put_input((c.token, c.authorization) for c in challenges)
    except ValueError as error:
        name = challenges[0].name
        raise AuthorityRefused(name, f"the authority asks for what cannot be shown: {error}.") from error


def _refusal(host: str, result: Result) -> HostError | None:
    if result.ok:
        return None
    lines = printable(result.stderr.decode(errors="replace")).strip().splitlines()
    why = plain(lines[-1]) if lines else f"status {result.status}"
    what = f"it could not take the answers to the authority's challenges: {why}."
    return HostError(host, what, "Mend it, then run again.")
