"""Which authority is meant, in one place; naming one imports nothing that speaks with it."""

import subprocess
import sys

import pytest

from sendwright.acme import directories
from sendwright.stack import AcmeAuthority


@pytest.mark.parametrize(
    ("declared", "url", "title"),
    [
        ("letsencrypt", "https://acme-v02.api.letsencrypt.org/directory", "Let's Encrypt"),
        ("staging", "https://acme-staging-v02.api.letsencrypt.org/directory", "Let's Encrypt's staging authority"),
        ("https://ca.example:14000/dir", "https://ca.example:14000/dir", "the authority at ca.example:14000"),
    ],
)
def test_a_word_or_an_address_names_an_authority(declared: str, url: str, title: str) -> None:
    """Staging in one word."""
    assert directories.url(AcmeAuthority(directory=declared)) == url
    assert directories.title(url) == title


def test_naming_an_authority_imports_nothing_that_speaks_with_it() -> None:
    """Most runs order nothing."""
    script = (
        "import sys, sendwright.acme.authority\n"
        "print(*(m for m in ('acme', 'josepy', 'requests', 'cryptography') if m in sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert not done.stdout.strip()
