"""What a run does not need, it does not import: most of the time of a run that changes nothing is importing."""

import subprocess
import sys


def _loaded(modules: str, unwanted: tuple[str, ...]) -> str:
    script = f"import sys, {modules}\nprint(*(name for name in {unwanted} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_run_that_changes_nothing_imports_nothing_that_changes_hosts() -> None:
    """Pyinfra and what comes with it are for hosts that differ; providers' kits for those who use them."""
    path = (
        "sendwright.cli.provision, sendwright.inventory, sendwright.provision, sendwright.run, sendwright.certs, "
        "sendwright.dns.providers.rfc2136, sendwright.dns.providers.cloudflare, "
        "sendwright.report.progress, sendwright.report.text, sendwright.report.json"
    )
    unwanted = ("pyinfra", "gevent", "cloudflare", "rich", "dkim", "spf", "argon2", "acme", "httpx", "dns.resolver")

    assert not _loaded(path, unwanted)


def test_hosts_are_asked_before_what_speaks_dns_is_imported() -> None:
    """Hosts take their time to answer: importing the rest fills it."""
    unwanted = ("dns", "sendwright.certs", "sendwright.run", "sendwright.publishing", "sendwright.engine")

    assert not _loaded("sendwright.inventory, sendwright.provision", unwanted)
