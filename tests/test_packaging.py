"""The traps of the layout, guarded."""

from pathlib import Path

import dns
import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("folder", ["dns", "deploys", "tests"])
def test_no_folder_of_the_card_is_a_package_that_shadows_another(folder: str) -> None:
    """An ``__init__.py`` in dns/, deploys/ or below tests/ would shadow dnspython."""
    found = [*(ROOT / folder).rglob("__init__.py")]

    assert found == []


def test_dnspython_is_the_dns_that_is_imported() -> None:
    """``import dns`` means dnspython, whatever the working directory."""
    assert dns.__file__ is not None
    assert "site-packages" in dns.__file__
