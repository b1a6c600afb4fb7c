"""SARIF 2.1.0: the results of tools, run by run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from reviews.importing.forms.gathering import Gathering
from reviews.importing.forms.json_document import JsonDocument, Span
from reviews.importing.forms.said import Said
from reviews.importing.forms.sarif_places import read_bases
from reviews.importing.forms.sarif_results import Run, read_result
from reviews.importing.forms.sarif_rules import read_tools
from reviews.importing.forms.values import inside, line_text, objects
from reviews.importing.model import BadInput, Metadata

FORM: Final = "sarif"
VERSION: Final = "2.1.0"
MAX_RUNS: Final = 1_000
MAX_TOLD: Final = 5


def recognises(document: JsonDocument) -> bool:
    """An object with `runs`, and a version, a schema or a tool that says whose."""
    if len(document.roots) != 1:
        return False
    members = document.members(document.roots[0])
    runs = members.get("runs")
    if runs is None:
        return False
    if {"version", "$schema"} & set(members) or not document.is_list(runs):
        return True
    first = next(document.elements(runs), None)
    return first is None or bool({"tool", "results"} & set(document.members(first)))


def read(document: JsonDocument, gathering: Gathering) -> Said:
    members = document.members(document.roots[0])
    version = line_text(document.load(members.get("version")), 40)
    if version != VERSION:
        said = f"says {version}" if version else "says no version"
        raise BadInput("sarif_version", f"Only SARIF {VERSION} can be read; this document {said}.")
    tools: dict[str, None] = {}
    commits: dict[str, None] = {}
    runs = members["runs"]
    if not document.is_list(runs) and document.load(runs) is not None:
        raise BadInput("wrong_type", f"`runs` of SARIF is a list; here it is none: line {document.lines(runs)[0]}.")
    for number, span in enumerate(document.elements(runs), 1):
        if number > MAX_RUNS:
            raise BadInput("too_many_runs", f"The document has more than {MAX_RUNS} runs: import it in parts.")
        if not document.is_object(span):
            gathering.warn("A run that is no object was left out", document.lines(span)[0])
            continue
        tool, commit = _run(document, span, number, gathering)
        tools.setdefault(tool)
        commits.setdefault(commit)
    if members.get("inlineExternalProperties"):
        gathering.note("Parts of the log stand under inlineExternalProperties and were not read.")
    commit = next(iter(commits)) if len(commits) == 1 else ""
    named = ", ".join(filter(None, tools))
    return Said(
        f"Results of {named}" if named else None, named, Metadata(reviewer=named or None, base_commit=commit or None)
    )


def _run(document: JsonDocument, span: Span, number: int, gathering: Gathering) -> tuple[str, str]:
    members = document.members(span)
    tools = read_tools(document, members.get("tool"), members.get("taxonomies"))
    name = tools.driver.name
    line = document.lines(span)[0]
    if not name:
        gathering.warn("A run does not name its tool", line)
    _invocations(document, members.get("invocations"), name, gathering)
    if "externalPropertyFileReferences" in members:
        gathering.note("A run keeps parts in other files, which were not read.", line)
    run = Run(name or "the tool", number, tools, read_bases(document, members), _overrides(document, members))
    results = members.get("results")
    if results is not None and not document.is_list(results) and document.load(results) is not None:
        gathering.warn("`results` is no list and was left out", document.lines(results)[0])
    for result in document.elements(results):
        read_result(document, result, run, gathering)
    return " ".join(filter(None, (name, tools.driver.version))), _commit(document, members)


def _invocations(document: JsonDocument, span: Span | None, tool: str, gathering: Gathering) -> None:
    for one in document.elements(span):
        said = document.members(one)
        line = document.lines(one)[0]
        if document.load(said.get("executionSuccessful")) is False:
            why = line_text(document.load(said.get("exitCodeDescription")))
            gathering.note(
                f"{tool or 'The tool'} says that its run was not successful{f' ({why})' if why else ''}: "
                "results may be missing.",
                line,
            )
        for text in islice(_errors(document, said), MAX_TOLD):
            gathering.note(f"{tool or 'The tool'} reports an error of its own: {text}", line)


def _errors(document: JsonDocument, said: Mapping[str, Span]) -> Iterator[str]:
    for key in ("toolExecutionNotifications", "toolConfigurationNotifications"):
        for one in document.elements(said.get(key)):
            notification = document.load(one)
            if inside(notification, "level") == "error":
                yield line_text(inside(notification, "message", "text")) or "without a text"


def _overrides(document: JsonDocument, members: Mapping[str, Span]) -> dict[str, str]:
    """Levels that the run was started with, by the id of the rule."""
    found: dict[str, str] = {}
    for one in document.elements(members.get("invocations")):
        overrides = document.load(document.members(one).get("ruleConfigurationOverrides"))
        for override in objects(overrides):
            level = inside(override, "configuration", "level")
            if isinstance(level, str):
                found[line_text(inside(override, "descriptor", "id"))] = level
    found.pop("", None)
    return found


def _commit(document: JsonDocument, members: Mapping[str, Span]) -> str:
    for one in document.elements(members.get("versionControlProvenance")):
        return line_text(inside(document.load(one), "revisionId"), 64)
    return ""
