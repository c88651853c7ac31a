"""Cloudflare: limits that are kept, and what happens when it hangs, answers rubbish or dies mid-way."""

from pathlib import Path

import pytest

from sendwright.dns.providers.base import open_provider
from sendwright.dns.providers.cloudflare import CloudflareDns
from sendwright.dns.providers.limiter import Limiter
from sendwright.errors import DnsError, ServerUnreachable
from sendwright.providers import Cloudflare
from tests.dns.cloudflare_http import BROKEN, DIE, HALF, HANG, LOST, RUBBISH, Answer, Fault
from tests.dns.cloudflare_standin import TOKEN, StandIn
from tests.dns.cloudflare_world import ZONE, held, limiter_of, many, new, opened


def test_429_with_retry_after_is_waited_out(standin: StandIn) -> None:
    """The SDK alone gives up after 1.6 seconds."""
    standin.faults["batch", 1] = Answer.error(429, 971, "Please wait", retry_after="120")
    provider = opened(standin)

    provider.apply(ZONE, many(3))

    assert standin.clock.slept == [120.0]
    assert len(held(standin)) == 3


def test_a_limit_that_is_used_up_is_not_run_into(standin: StandIn) -> None:
    """The headers say when there is room again, so no request is refused at all."""
    standin.limit = 4
    provider = opened(standin)

    provider.apply(ZONE, many(450))
    provider.apply(ZONE, [])
    provider.read(ZONE, [])

    assert standin.count("refused") == 0
    assert standin.clock.slept == [300.0]


def test_one_limiter_serves_two_zones_of_a_run(standin: StandIn) -> None:
    """The limit is the token's, not a zone's; so is what was learned about it."""
    standin.limit = 5
    standin.add_zone("example.org")
    limiter = limiter_of(standin)
    first, second = (opened(standin, limiter=limiter) for _ in range(2))

    first.apply(ZONE, many(1))
    second.apply("example.org", [new("a.example.org", "A", "192.0.2.1")])

    assert standin.count("refused") == 0
    assert standin.clock.slept == [300.0]


def test_all_who_use_a_token_share_its_limiter(tmp_path: Path) -> None:
    """However many entries of ``dns`` name it, and however often they are opened."""
    (tmp_path / "token").write_text(TOKEN + "\n")
    (tmp_path / "other").write_text("another\n")

    def limiter(file: str) -> Limiter:
        config = Cloudflare.model_validate({"provider": "cloudflare", "token": {"file": file}})
        found = open_provider(config, tmp_path)
        assert isinstance(found, CloudflareDns)
        assert TOKEN not in repr(found)
        return found.api.limiter

    assert limiter("token") is limiter("token")
    assert limiter("token") is not limiter("other")


def test_patience_ends_with_an_error_that_names_the_wait(standin: StandIn) -> None:
    """Nobody waits an hour without having been asked."""
    standin.faults["records", 1] = Answer.error(429, 971, "Please wait", retry_after="3600")

    with pytest.raises(ServerUnreachable, match=r"zone example.com: Cloudflare takes no more .* another 3600 s"):
        opened(standin).read(ZONE, [])
    assert standin.clock.slept == []


@pytest.mark.parametrize("fault", [BROKEN, RUBBISH, DIE, LOST, Answer.error(400, 1004, "DNS Validation Error")])
def test_a_batch_that_fails_in_the_middle_leaves_a_state_from_which_running_again_converges(
    standin: StandIn, fault: Fault
) -> None:
    """Each batch happened or did not; the next run reads what is there and does the rest."""
    standin.faults["batch", 2] = fault
    edits = many(450)

    with pytest.raises(DnsError, match=r"The first 200 of 450 record sets were changed; running again is safe\."):
        opened(standin).apply(ZONE, edits)
    again = opened(standin)
    seen = {r.key: r for r in again.read(ZONE, [(e.name, e.type) for e in edits])}
    again.apply(ZONE, [e for e in edits if seen.get((e.name, e.type)) != e.after])

    assert again.read(ZONE, [(e.name, e.type) for e in edits]) == tuple(e.after for e in edits)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (HANG, "no answer in 0.4 s"),
        (LOST, "gave no answer"),
        (HALF, "gave no answer"),
        (RUBBISH, "not its API's"),
        (BROKEN, "HTTP 500"),
    ],
)
def test_a_write_without_a_proper_answer_is_unknown_and_not_tried_again(
    standin: StandIn, fault: Fault, said: str
) -> None:
    """It may have happened: only a fresh look can tell."""
    provider = opened(standin, seconds=0.4 if fault == HANG else 5)
    provider.zones([ZONE])
    standin.faults["batch", 1] = fault

    with pytest.raises(DnsError, match=said) as caught:
        provider.apply(ZONE, many(1))

    assert "zone example.com" in str(caught.value)
    assert "unknown" in caught.value.hint
    assert standin.count("batch") == 1


@pytest.mark.parametrize("kind", ["zones", "records"])
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (HANG, "no answer in 0.4 s"),
        (DIE, "does not answer"),
        (HALF, "does not answer"),
        (BROKEN, "HTTP 500"),
        (RUBBISH, "API's"),
    ],
)
def test_a_read_that_fails_is_tried_again_and_then_named(standin: StandIn, kind: str, fault: Fault, said: str) -> None:
    """Three times if there may be another answer; rubbish is not asked for again."""
    provider = opened(standin, seconds=0.4 if fault == HANG else 5)
    standin.faults |= {(kind, n): fault for n in (1, 2, 3)}

    with pytest.raises(DnsError, match=said) as caught:
        provider.read(ZONE, [(ZONE, "A")])

    assert "zone example.com: Cloudflare" in str(caught.value)
    assert standin.count(kind) == (1 if fault is RUBBISH else 3)


def test_a_read_that_fails_once_is_no_failure(standin: StandIn) -> None:
    """Another try costs little."""
    standin.faults["records", 1] = BROKEN

    assert opened(standin).read(ZONE, [(ZONE, "A")]) == ()


def test_an_api_that_is_not_there_is_unreachable() -> None:
    """Nothing was sent, and it says so."""
    standin = StandIn(port=1)

    with pytest.raises(
        ServerUnreachable, match="Cloudflare does not answer when asked to list its zones: ConnectError"
    ):
        opened(standin).zones([ZONE])
