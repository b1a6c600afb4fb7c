"""The tools of a SARIF run and their rules, as far as a finding needs them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from reviews.importing.forms.json_document import JsonDocument, Span
from reviews.importing.forms.values import cwes, inside, line_text, listed, number, objects, text_of, whole

MAX_RULES: Final = 50_000
MAX_MESSAGES: Final = 50
MAX_EXTENSIONS: Final = 500
_LEVELS: Final = frozenset({"error", "warning", "note", "none"})


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, or a taxon of a taxonomy, which has the same shape."""

    id: str
    name: str = ""
    short: str = ""
    full: str = ""
    level: str = ""
    rank: float | None = None
    security: float | None = None
    category: str = ""
    taxa: tuple[str, ...] = ()
    help_uri: str = ""
    messages: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Component:
    """A tool, an extension of it, or a taxonomy."""

    name: str = ""
    version: str = ""
    guid: str = ""
    rules: list[Rule] = field(default_factory=list)
    by_id: dict[str, Rule] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Tools:
    """The components that a result can speak of."""

    driver: Component = field(default_factory=Component)
    extensions: list[Component] = field(default_factory=list)
    taxonomies: list[Component] = field(default_factory=list)

    def rule_of(self, result: Mapping[str, Any]) -> tuple[str, Rule | None, bool]:
        """(id, rule, whether the result points to a rule that is not there)."""
        said = result.get("rule")
        named = line_text(result.get("ruleId")) or line_text(inside(said, "id"))
        component = self._component(inside(said, "toolComponent"), self.extensions) or self.driver
        at = whole(result.get("ruleIndex"))
        if at is None:
            at = whole(inside(said, "index"))
        if at is not None and 0 <= at < len(component.rules):
            rule = component.rules[at]
            # `CA1000/1` is a part of rule CA1000. Where index and id disagree, the id is believed.
            if not named or named == rule.id or named.startswith(f"{rule.id}/"):
                return named or rule.id, rule, False
        missing = at is not None and at >= 0
        return named, self._by_id(named, component), missing

    def _by_id(self, named: str, first: Component) -> Rule | None:
        for name in (named, named.rpartition("/")[0]):
            for component in (first, self.driver, *self.extensions):
                if name and name in component.by_id:
                    return component.by_id[name]
        return None

    def taxa_of(self, references: object) -> tuple[str, ...]:
        """The taxa that a result or a rule points to: `CWE-79`, or the taxonomy's name and the taxon's id."""
        return tuple(dict.fromkeys(name for one in objects(references) if (name := self._taxon(one))))

    def _taxon(self, reference: Mapping[str, Any]) -> str:
        component = self._component(reference.get("toolComponent"), self.taxonomies)
        named = line_text(reference.get("id"), 80)
        at = whole(reference.get("index"))
        if not named and component is not None and at is not None and 0 <= at < len(component.rules):
            named = component.rules[at].id
        family = component.name if component else line_text(inside(reference, "toolComponent", "name"), 80)
        if not named:
            return ""
        return next(iter(cwes(named if "cwe" in named.lower() else f"{family}-{named}")), f"{family} {named}".strip())

    def _component(self, reference: object, among: list[Component]) -> Component | None:
        at, name, guid = (inside(reference, key) for key in ("index", "name", "guid"))
        at = whole(at)
        if at is not None and 0 <= at < len(among):
            return among[at]
        return next(
            (one for one in among if (guid and one.guid == guid) or (name and one.name == name)),
            None,
        )


def read_tools(document: JsonDocument, tool: Span | None, taxonomies: Span | None) -> Tools:
    parts = document.members(tool)
    extensions = document.elements(parts.get("extensions"))
    return Tools(
        _component(document, parts.get("driver"), "rules"),
        [_component(document, span, "rules") for span in islice(extensions, MAX_EXTENSIONS)],
        [_component(document, span, "taxa") for span in islice(document.elements(taxonomies), 100)],
    )


def _component(document: JsonDocument, span: Span | None, rules: str) -> Component:
    parts = document.members(span)

    def said(key: str) -> str:
        return line_text(document.load(parts.get(key)))

    found = Component(said("name"), said("semanticVersion") or said("version"), said("guid"))
    found.messages = _messages(document.load(parts.get("globalMessageStrings")))
    for rule in _rules(document, parts.get(rules)):
        found.rules.append(rule)
        found.by_id.setdefault(rule.id, rule)
    return found


def _rules(document: JsonDocument, span: Span | None) -> Iterator[Rule]:
    for entry in islice(document.elements(span), MAX_RULES):
        yield _rule(document.load(entry))


def _rule(said: object) -> Rule:
    properties = inside(said, "properties")
    tags = [line_text(tag, 100) for tag in listed(inside(properties, "tags"))]
    security = number(inside(properties, "security-severity"))
    related = [inside(one, "target") for one in objects(inside(said, "relationships"))]
    targets = [f"{line_text(inside(one, 'toolComponent', 'name'))}-{line_text(inside(one, 'id'))}" for one in related]
    return Rule(
        id=line_text(inside(said, "id")),
        name=line_text(inside(said, "name")),
        short=text_of(inside(said, "shortDescription", "text"), 600),
        full=text_of(inside(said, "fullDescription", "text"), 1_200),
        level=level_of(inside(said, "defaultConfiguration", "level")),
        rank=number(inside(said, "defaultConfiguration", "rank")),
        security=security,
        category=category_of(properties, tags),
        taxa=cwes(*tags, *targets, inside(properties, "cwe"), *listed(inside(properties, "cwe"))),
        help_uri=line_text(inside(said, "helpUri")),
        messages=_messages(inside(said, "messageStrings")),
    )


def level_of(value: object) -> str:
    return value if isinstance(value, str) and value in _LEVELS else ""


def category_of(properties: object, tags: list[str]) -> str:
    """What the tool calls it, else the first tag that is one word and no number of a catalogue."""
    named = line_text(inside(properties, "category"), 100)
    plain = (tag for tag in tags if tag and "/" not in tag and ":" not in tag and not cwes(tag))
    return named or next(plain, "")


def _messages(said: object) -> dict[str, str]:
    if not isinstance(said, dict):
        return {}
    return {key: text_of(inside(value, "text"), 600) for key, value in list(said.items())[:MAX_MESSAGES]}
