"""What the documents say is what the program has: settings, defaults, verbs, options, links."""

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest
from pydantic import BaseModel

from sendwright import declared, providers, stack
from sendwright.cli import sendwright
from sendwright.inventory import _SSH as SSH
from sendwright.lines import Act
from sendwright.plan import Action, Kind, Stage
from sendwright.provision import Result
from sendwright.report import check_table
from sendwright.report.findings import FORMS
from sendwright.report.findings_json import schema
from sendwright.state.model import KeyStage
from sendwright.verify.finding import Status
from sendwright.verify.known import Turn

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
SETTINGS = (ROOT / "docs" / "inventory.md").read_text()
# The heading below which each model's settings stand.
SECTIONS: dict[type[BaseModel], str] = {
    stack.Host: "Hosts",
    stack.Ssh: "Hosts",
    stack.Egress: "Addresses",
    stack.SelfSigned: "Certificates",
    stack.InternalCa: "Certificates",
    stack.CertificateFile: "Certificates",
    stack.AcmeTls: "Certificates",
    stack.AcmeAuthority: "Who issues",
    stack.ExternalAccount: "Who issues",
    stack.MtaSts: "Certificates that senders insist on",
    stack.Domain: "Domains",
    stack.Dkim: "Signing",
    stack.Spf: "Who else may send",
    stack.Dmarc: "Policy",
    stack.TlsRpt: "Reports on failed TLS",
    stack.Receive: "What arrives",
    providers.Rfc2136: "DNS providers",
    providers.Tsig: "DNS providers",
    providers.Cloudflare: "Cloudflare",
    providers.PowerDns: "PowerDNS",
    providers.Zonefile: "Zone files",
    providers.OctoDns: "Providers of octoDNS",
    stack.KeyStore: "Private keys",
    stack.Smtp: "Postfix",
    stack.TlsOverride: "Postfix",
    stack.Shared: "Other settings",
    stack.Rehearsal: "Other settings",
    declared.EnvSecret: "Secrets",
    declared.FileSecret: "Secrets",
    declared.CommandSecret: "Secrets",
}
# Told by the document itself rather than by a row: a name is a key, parts of all have a section of their own.
_ELSEWHERE = {"name", "ssh", "dns", "key_store", "smtp", "acme", "mode", "hosts", "domains"}
FIELDS = [
    (model, name)
    for model in SECTIONS
    for name in model.model_fields
    if model is providers.Tsig or name not in _ELSEWHERE
]


def section(title: str) -> str:
    """Return what stands between a heading and the next one."""
    _, found, rest = SETTINGS.partition(f"# {title}")
    assert found, title
    return re.split(r"^#", rest, maxsplit=1, flags=re.MULTILINE)[0]


def shown(default: Any) -> str:
    """Return a simple default as an inventory writes it."""
    return str(default) if isinstance(default, bool | int) else json.dumps(str(default))


def test_every_model_of_the_declaration_has_a_section() -> None:
    """A new part of the inventory cannot be forgotten in its document."""
    parts = [part for module in (stack, providers, declared) for part in vars(module).values()]
    models = {part for part in parts if isinstance(part, type) and issubclass(part, declared.Model)}

    assert models - {declared.Model, stack.Stack} == set(SECTIONS)


@pytest.mark.parametrize(("model", "name"), FIELDS, ids=lambda value: getattr(value, "__name__", value))
def test_every_setting_is_told_with_its_default(model: type[BaseModel], name: str) -> None:
    """Each has its place in the section of its model, and a simple default stands in its row."""
    setting = next((theirs for theirs, ours in SSH.items() if ours == name), name) if model is stack.Ssh else name
    default = model.model_fields[name].default
    rows = [line for line in section(SECTIONS[model]).splitlines() if re.search(rf'[`"]{setting}[`"]', line)]

    assert rows
    if isinstance(default, str | int):
        assert any(f"`{shown(default)}`" in row for row in rows)


@pytest.mark.parametrize(
    "document", [*DOCUMENTS, ROOT / "CHANGELOG.md", ROOT / "README.md"], ids=lambda path: path.stem
)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """To a file of the tree, and to a heading that is there."""
    for target in re.findall(r"\]\((?!https://)([^)]+)\)", document.read_text()):
        path, _, heading = target.partition("#")
        file = document.parent / path if path else document
        assert file.exists(), target
        headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE) if heading else []
        slugs = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
        assert not heading or heading in slugs, target


@pytest.mark.parametrize("document", [*DOCUMENTS, ROOT / "README.md"], ids=lambda path: path.name)
def test_commands_in_documents_exist(document: Path) -> None:
    """Each verb, its parts and its options are those of the command line."""
    for line in re.findall(r"^[$#] sendwright (.*)$", document.read_text(), re.MULTILINE):
        words = line.partition(" -- ")[0].partition("  #")[0].split()
        command: click.Command = sendwright
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), words.pop(0))
            assert found is not None, line
            command = found
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in words if word.startswith("--")} <= known, line


@pytest.mark.parametrize(
    ("verb", "document"),
    [("plan", "provisioning"), ("provision", "provisioning"), ("rotate", "rotation"), ("verify", "verify")],
)
def test_every_option_of_the_main_verbs_is_told(verb: str, document: str) -> None:
    """What `--help` lists, the document explains."""
    text = (ROOT / "docs" / f"{document}.md").read_text()
    command = sendwright.get_command(click.Context(sendwright), verb)

    assert command is not None
    for option in (p for p in command.params if isinstance(p, click.Option)):
        assert any(f"`{name}" in text for name in (*option.opts, *option.secondary_opts)), option.opts


@pytest.mark.parametrize("document", [*DOCUMENTS, ROOT / "README.md"], ids=lambda path: path.name)
def test_no_document_knows_the_machine_that_it_was_written_on(document: Path) -> None:
    """Paths of one machine help nobody on another."""
    assert not re.search(r"(?<![\w.])/(tmp|home|root|srv)/", document.read_text())


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("changes[].stage", [stage.name.lower() for stage in Stage]),
        ("changes[].kind", list(Kind)),
        ("changes[].action", list(Action)),
        ("outcome", list(Result)),
        ("done[].act", [act.name.lower() for act in Act]),
        ("lines[].keys[].stage", list(KeyStage)),
        ("findings[].status", list(Status)),
        ("changes[].turn", list(Turn)),
    ],
)
def test_the_words_of_the_json_are_all_told(field: str, values: list[str]) -> None:
    """Who reads the JSON knows every word that a field may hold."""
    lines = (ROOT / "docs" / "json.md").read_text().splitlines()
    (row,) = (line for line in lines if line.startswith(f"| `{field}` |"))

    assert set(re.findall(r"`([a-z]+)`", row.partition("` |")[2])) == set(values)


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.VERIFY])
def test_every_stage_of_a_plan_is_told_under_its_title(stage: Stage) -> None:
    """What a plan prints can be looked up."""
    assert f"| {int(stage)}. {stage.title} |" in (ROOT / "docs" / "provisioning.md").read_text()


def test_the_table_of_checks_is_what_the_catalogue_says() -> None:
    """`python -m sendwright.report.check_table docs/verify.md` writes it."""
    document = (ROOT / "docs" / "verify.md").read_text()

    assert check_table.written(document) == document


def test_every_form_and_every_field_of_a_verification_is_told() -> None:
    """Who reads the documents misses nothing of what programs get."""
    forms = (ROOT / "docs" / "verify.md").read_text()
    told = (ROOT / "docs" / "json.md").read_text().partition("## `verify` (")[2]

    assert all(f"**{form}**" in forms for form in FORMS)
    rules = json.loads(schema())
    fields = {*rules["properties"], *rules["$defs"]["finding"]["properties"], *rules["$defs"]["counts"]["properties"]}
    assert {f for f in fields - {"version", "kind"} if not re.search(rf"[`.\]]{f}[`\[.]", told)} == set()
