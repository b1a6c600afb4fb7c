"""What the columns of a table mean, by their headers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reviews.importing.document import Block
from reviews.importing.titles import plain
from reviews.importing.vocabulary import without_marks, word_set

_HEADERS: dict[str, str] = {
    "ref": "#|id|ref|no|no.|nr|nr.|№|n|num|number|bug id|issue id|finding id|ticket|ticket id|key|issue "
    "#|bug #|finding #|"
    "bug|code|ref.|item #|identifier|finding no|item|defect id|vuln id|issue no.|td|编号|序号",
    "title": "title|issue|finding|findings|problem|summary|bug|concern|vulnerability|name|weakness|"
    "defect|observation|gap|risk|"
    "description|issue title|finding title|issue description|what|краткое описание|описание|название|"
    "titel|beschreibung|"
    "beskrivning|título|titre|descripción|descrição|problema|issue/finding|debt item|item|details|问题|标题|"
    "描述|violation|smell|"
    "error|flaw|technical debt|improvement|missing|deficiency|topic|баг|ошибка|проблема",
    "severity": "severity|sev|risk level|severity level|risk rating|criticality|серьёзность|серьезность|"
    "критичность|"
    "schweregrad|allvarlighetsgrad|sévérité|gravité|severidad|severidade|priority|prio|приоритет|"
    "priorität|prioritet|level|严重程度|"
    "优先级|risk|class|rating",
    "status": "status|state|fixed?|resolution|статус|fix status|current status|disposition|verdict|"
    "result|状态|estado|resolved",
    "category": "category|area|type|module|component|kategorie|kategori|категория|тип|domain|layer|类别|section|scope",
    "file": "file|files|location|locations|where|path|line|file:line|file(s)|site|file/line|affected "
    "files|affected|file path|"
    "файл|datei|fil|文件|位置|affected file|code location|source|component/file|lines|line(s)",
    "fix": "fix|recommendation|recommended fix|action|remediation|solution|mitigation|suggested fix|"
    "recommended action|suggestion|"
    "proposed fix|resolution|решение|рекомендация|lösung|åtgärd|建议|fix applied|how fixed|修复",
    "count": "count|total|qty|quantity|issues found|number of issues|critical|high|medium|low|metric|"
    "value|before|after|score|weight|"
    "weighting|max|points|target|coverage|количество|requirement|criteria|criterion|check|control|test|"
    "test case|method|route|"
    "endpoint|permission|command|expected|actual|kontroll|krav|mått|verktyg|feature|aspect|dimension|"
    "days|hours|pr|commit|sha|phase|"
    "reviewer|deliverable|property|setting|tool",
}
_PROBLEM_HEADERS = word_set(
    """
    issue finding findings problem bug concern vulnerability weakness defect gap flaw violation smell
    error risk deficiency проблема ошибка problema 问题
    """
) | {"debt item", "technical debt", "issue title", "finding title", "issue description"}
_MEANING: dict[str, list[str]] = {}
for _meaning, _names in _HEADERS.items():
    for _name in _names.split("|"):
        _MEANING.setdefault(_name, []).append(_meaning)

# `Risk` or `Bug` can be more than one thing; the first meaning still free, in this order, is taken.
_ORDER = ("ref", "severity", "status", "file", "category", "fix", "title")


@dataclass(frozen=True, slots=True)
class Columns:
    title: int
    ref: int | None = None
    severity: int | None = None
    status: int | None = None
    category: int | None = None
    file: int | None = None
    fix: int | None = None
    ticket: bool = False
    says_problem: bool = False

    def named(self) -> Iterator[tuple[str, int]]:
        for name in ("ref", "severity", "status", "category", "file", "fix", "title"):
            at = getattr(self, name)
            if at is not None:
                yield name, at


def meanings_of(table: Block) -> dict[str, int]:
    """The first column of each meaning, whatever kind of table it is."""
    taken: dict[str, int] = {}
    for at, name in enumerate(header_names(table)):
        for meaning in _MEANING.get(name, []):
            taken.setdefault(meaning, at)
    return taken


def header_names(table: Block) -> list[str]:
    return [without_marks(plain(cell)).strip("*: ").lower() for cell in table.header]


def columns_of(table: Block) -> Columns | None:
    """The columns of a table of findings; None for a table of counts, requirements or anything else."""
    names = header_names(table)
    taken: dict[str, int] = {}
    for at, name in enumerate(names):
        meanings = _MEANING.get(name, [])
        if "count" in meanings:
            if at == 0 or name in ("count", "total", "qty", "critical", "high"):
                return None
            continue
        free = [meaning for meaning in _ORDER if meaning in meanings and meaning not in taken]
        if at > 0 and name in ("item", "bug", "code") and "ref" in free:
            free.remove("ref")
        if free:
            taken[free[0]] = at
    _title_from_others(names, taken)
    if "title" not in taken:
        return None
    problem = names[taken["title"]] in _PROBLEM_HEADERS
    ticket = "ref" in taken and names[taken["ref"]] in ("ticket", "ticket id", "key")
    return Columns(
        title=taken["title"],
        ref=taken.get("ref"),
        severity=taken.get("severity"),
        status=taken.get("status"),
        category=taken.get("category"),
        file=taken.get("file"),
        fix=taken.get("fix"),
        ticket=ticket,
        says_problem=problem,
    )


def _title_from_others(names: list[str], taken: dict[str, int]) -> None:
    """Without a title column, the place of a finding names it; a `Bug` column may have been taken for refs."""
    if "title" in taken:
        return
    if "ref" in taken and names[taken["ref"]] in ("bug", "item", "code"):
        taken["title"] = taken.pop("ref")
    elif "severity" in taken and names[taken["severity"]] == "risk":
        taken["title"] = taken.pop("severity")
    elif "file" in taken and "ref" in taken and "fix" in taken:
        taken["title"] = taken["file"]
