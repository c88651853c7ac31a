"""A key table is looked at before a signer loads it: OpenDKIM takes any, and then holds all mail back."""

import subprocess
from pathlib import Path

import pytest

from sendwright.deploys.opendkim import validate
from sendwright.stack import DkimAlgorithm


def _checked(folder: Path, row: str) -> subprocess.CompletedProcess[str]:
    """Run what is asked besides OpenDKIM, at another place and as nobody else, on a table with this row."""
    keys = folder / "keys/example.com"
    keys.mkdir(parents=True, exist_ok=True)
    (keys / "s1.pem").write_text("private\n")
    (folder / "rsa.keytable").write_text(f"# Rendered\n\n{row.replace('KEYS', str(folder / 'keys'))}\n")
    _, *commands = validate(DkimAlgorithm.RSA)
    text = " && ".join(f"{{ {command}; }}" for command in commands)
    text = text.replace("/etc/opendkim", str(folder)).replace("runuser -u opendkim -- ", "")
    return subprocess.run(["/bin/sh", "-c", text], capture_output=True, text=True, check=False)


def test_a_table_whose_keys_can_be_read_is_taken(tmp_path: Path) -> None:
    """And nothing of a key is printed."""
    done = _checked(tmp_path, "s1._domainkey.example.com example.com:s1:KEYS/example.com/s1.pem")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("garbage", "3:garbage"),
        ("s1._domainkey.example.com example.com:s1", "3:s1._domainkey.example.com example.com:s1"),
        ("s1._domainkey.example.com example.com:s1:/srv/s1.pem", "/srv/s1.pem"),
        ("s1._domainkey.example.com example.com:s2:KEYS/example.com/s2.pem", "No such file"),
    ],
)
def test_a_bad_row_and_a_key_that_cannot_be_read_are_named(tmp_path: Path, row: str, said: str) -> None:
    """The signers then go on with what they loaded before."""
    done = _checked(tmp_path, row)

    assert done.returncode != 0
    assert said in done.stderr
