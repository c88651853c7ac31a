"""Documents for programs, which people read on terminals too."""

import json

from hypothesis import given
from hypothesis import strategies as st

from sendwright.report.json import document


@given(st.text())
def test_a_document_moves_no_cursor_and_says_what_it_was_given(text: str) -> None:
    """JSON itself escapes neither what begins a sequence in eight bits, nor what turns a line around."""
    printed = document("test", text=text)

    assert all(c.isprintable() or c == "\n" for c in printed)
    assert json.loads(printed)["text"] == text
