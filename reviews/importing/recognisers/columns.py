"""What the columns of a table mean, by their headers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from reviews.importing.document import Block
from reviews.importing.recognisers.cells import (
    MOST,
    column,
    is_rating,
    is_ref,
    is_scale,
    kind_of_cells,
    prose_length,
    rates,
    share,
)
from reviews.importing.titles import plain
from reviews.importing.vocabulary import without_marks, word_set

MAX_COLUMNS = 24
MIN_TITLE = 10

_HEADERS: dict[str, str] = {
    "ref": "issue number|finding number|bug number|nummer|numéro|número|numero|numer|номер|lp.|"
    "lfd. nr.|id-nr|kennung|identifiant|identificador|序|番号|번호|"
    "#|id|ref|no|no.|nr|nr.|№|n|num|number|bug id|issue id|finding id|ticket|ticket id|key|issue "
    "#|bug #|finding #|"
    "bug|code|ref.|item #|identifier|finding no|item|defect id|vuln id|issue no.|td|编号|序号",
    "title": "befund|fund|problempunkt|mangel|feststellung|fehler|schwachstelle|constat|problème|"
    "anomalie|défaut|hallazgo|achado|falha|rilievo|descrizione|titolo|bevinding|probleem|"
    "omschrijving|brist|fynd|anmärkning|usterka|opis|tytuł|błąd|замечание|уязвимость|суть|"
    "недостаток|опис|назва|зауваження|помилка|项|事项|缺陷|漏洞|発見事項|指摘|指摘内容|指摘事項|内容|問題|課題|문제|내용|"
    "지적 사항|설명|항목|not met|change|request|comment|remark|note|"
    "title|issue|finding|findings|problem|summary|bug|concern|vulnerability|name|weakness|"
    "defect|observation|gap|risk|"
    "description|issue title|finding title|issue description|what|краткое описание|описание|название|"
    "titel|beschreibung|"
    "beskrivning|título|titre|descripción|descrição|problema|issue/finding|debt item|item|details|问题|标题|"
    "描述|violation|smell|"
    "error|flaw|technical debt|improvement|missing|deficiency|topic|баг|ошибка|проблема",
    "severity": "schwere|einstufung|gewicht|stufe|niveau|gravità|priorità|ernst|prioriteit|allvar|waga|"
    "ważność|priorytet|prioridade|prioridad|priorité|важность|серйозність|критичність|"
    "пріоритет|уровень|级别|重要度|深刻度|優先度|심각도|중요도|우선순위|impact level|threat level|importance|urgency|"
    "severity|sev|risk level|severity level|risk rating|criticality|серьёзность|серьезность|"
    "критичность|"
    "schweregrad|allvarlighetsgrad|sévérité|gravité|severidad|severidade|priority|prio|приоритет|"
    "priorität|prioritet|level|严重程度|"
    "优先级|risk|class|rating",
    "status": "stand|zustand|statut|situação|stato|läge|stan|состояние|стан|進捗|状況|対応状況|状態|상태|done|done?|"
    "progress|outcome|"
    "status|state|fixed?|resolution|статус|fix status|current status|disposition|verdict|"
    "result|状态|estado|resolved",
    "category": "bereich|domaine|catégorie|área|categoría|categoria|gebied|område|obszar|kategoria|область|"
    "категорія|分类|模块|分類|分野|カテゴリ|분류|영역|"
    "category|area|type|module|component|kategorie|kategori|категория|тип|domain|layer|类别|section|scope",
    "file": "ort|stelle|fundstelle|dateipfad|emplacement|fichier|lieu|archivo|ubicación|arquivo|local|"
    "posizione|bestand|plaats|locatie|ställe|plats|plik|miejsce|место|розташування|місце|"
    "файл/строка|路径|ファイル|場所|箇所|該当箇所|파일|위치|"
    "file|files|location|locations|where|path|line|file:line|file(s)|site|file/line|affected "
    "files|affected|file path|"
    "файл|datei|fil|文件|位置|affected file|code location|source|component/file|lines|line(s)",
    "fix": "maßnahme|empfehlung|behebung|correction|correctif|recommandation|solución|recomendación|"
    "correção|recomendação|correzione|raccomandazione|aanbeveling|oplossing|rekommendation|"
    "zalecenie|poprawka|исправление|рішення|рекомендація|修复建议|修改建议|対応|対策|推奨|修正案|조치|권고|개선안|"
    "fix|recommendation|recommended fix|action|remediation|solution|mitigation|suggested fix|"
    "recommended action|suggestion|"
    "proposed fix|resolution|решение|рекомендация|lösung|åtgärd|建议|fix applied|how fixed|修复",
    "count": "anzahl|nombre|cantidad|quantidade|numero di|aantal|antal|liczba|кількість|数量|件数|개수|"
    "prüfpunkt|schritt|étape|paso|"
    "count|total|qty|quantity|issues found|number of issues|critical|high|medium|low|metric|"
    "value|before|after|score|weight|"
    "weighting|max|points|target|coverage|количество|requirement|criteria|criterion|check|control|test|"
    "test case|method|route|"
    "endpoint|permission|command|expected|actual|kontroll|krav|mått|verktyg|feature|aspect|dimension|"
    "days|hours|pr|commit|sha|phase|"
    "reviewer|deliverable|property|setting|tool",
}
_PROBLEM_HEADERS = word_set(
    """
    issue issues finding findings problem problems bug concern vulnerability weakness defect gap flaw violation smell
    error risk risks deficiency observation fund проблема ошибка замечание уязвимость недостаток зауваження помилка
    befund mangel
    feststellung fehler schwachstelle constat problème anomalie défaut hallazgo problema achado falha rilievo bevinding
    probleem brist fynd anmärkning usterka błąd баг 问题 缺陷 漏洞 指摘 指摘内容 指摘事項 発見事項 問題 課題 문제
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
    rated: bool = False

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
    """The columns of a table of findings; None for a table of counts, requirements or anything else.

    The header says what a column is, unless its cells say otherwise; a column without a known header is what its
    cells are.
    """
    names = header_names(table)
    cells = {at: column(table, at) for at in range(min(len(names), MAX_COLUMNS))}
    taken = _from_header(names[:MAX_COLUMNS], cells)
    numbered = any(cell_list and all(cell.isdigit() for cell in cell_list) for cell_list in cells.values())
    if taken is None or (numbered and any(_repeats_refs(cell_list) for cell_list in cells.values())):
        return None
    _from_cells(names, cells, taken)
    _title_from_others(names, taken)
    _title_from_cells(cells, taken)
    scale = "severity" in taken and is_scale(cells[taken["severity"]])
    problem = "title" in taken and names[taken["title"]] in _PROBLEM_HEADERS
    if "title" not in taken or (scale and not problem and not {"file", "ref"} & taken.keys()):
        return None
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
        rated="severity" in taken and share(_said(cells[taken["severity"]]), is_rating) >= MOST,
    )


def _said(cells: list[str]) -> list[str]:
    """The cells with words: a dash rates nothing."""
    return [cell for cell in cells if re.search(r"\w", cell)]


def _from_header(names: list[str], cells: dict[int, list[str]]) -> dict[str, int] | None:
    taken: dict[str, int] = {}
    rated = any("severity" in _MEANING.get(name, []) and rates(cells[at]) for at, name in enumerate(names))
    for at, name in enumerate(names):
        meanings = _MEANING.get(name, [])
        if "count" in meanings and not rates(cells[at]):
            if (at == 0 and not rated) or name in ("count", "total", "qty", "critical", "high"):
                return None
            continue
        free = [meaning for meaning in _ORDER if meaning in meanings and meaning not in taken]
        if at > 0 and name in ("item", "bug", "code") and "ref" in free:
            free.remove("ref")
        # `Risk` may hold a rating or a sentence; only the cells tell.
        if "severity" in free and len(meanings) > 1 and not rates(cells[at]):
            free.remove("severity")
        if free:
            taken[free[0]] = at
    return taken


def _repeats_refs(cells: list[str]) -> bool:
    """In rows with numbers of their own, refs that come again belong to findings that stand elsewhere."""
    return share(cells, is_ref) >= MOST and not rates(cells) and len(set(cells)) < len(cells)


def _from_cells(names: list[str], cells: dict[int, list[str]], taken: dict[str, int]) -> None:
    for at, name in enumerate(names[:MAX_COLUMNS]):
        if name in _MEANING:
            continue
        kind = kind_of_cells(cells[at])
        if kind is not None and kind != "count":
            taken.setdefault(kind, at)


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


def _title_from_cells(cells: dict[int, list[str]], taken: dict[str, int]) -> None:
    """Of the columns that mean nothing else, the one with most to say; what to do is a title where no other is."""
    if "title" in taken or not {"severity", "status", "ref"} & taken.keys():
        return
    used = set(taken.values())
    free = [at for at in cells if at not in used and kind_of_cells(cells[at]) is None]
    best = max(free, key=lambda at: (prose_length(cells[at]), -at), default=None)
    if best is not None and "fix" in taken and prose_length(cells[taken["fix"]]) > 2 * prose_length(cells[best]):
        best = None
    if best is not None and prose_length(cells[best]) >= MIN_TITLE:
        taken["title"] = best
    elif "fix" in taken:
        taken["title"] = taken.pop("fix")
