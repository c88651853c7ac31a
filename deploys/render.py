"""Render templates into whole files: strict about every name, and the same text for the same data."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # These are configuration files, not HTML: what may stand in them is decided by sendwright.names.
        autoescape=False,  # noqa: S701
    )


def render(name: str, **values: object) -> str:
    """Return a rendered template.

    Arguments: ``name`` of the template below ``templates/``; ``values`` that it uses, each from validated names only.
    A template also gets ``rendered``, the sentence of its header. Raises jinja2.UndefinedError for a name it lacks.
    """
    rendered = f"Rendered by sendwright from templates/{name}: an edit made here is undone by the next provision."
    return _environment().get_template(name).render(rendered=rendered, **values)


def program(name: str) -> str:
    """Return a program of ours that is installed as it lies below ``templates/``."""
    return (TEMPLATES / name).read_text(encoding="utf-8")
