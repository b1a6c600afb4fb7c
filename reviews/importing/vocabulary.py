"""The words people use for severity, status and parts of a finding, in the languages reviews were met in."""

from __future__ import annotations

import re

from reviews.importing.model import Severity, Status

SEVERITY_WORDS: dict[str, Severity] = {}
_SEVERITY_LISTS: dict[Severity, str] = {
    "critical": "critical crit blocker blockers blocking p0 severe showstopper must-fix ship-blocker "
    "ship-blockers catastrophic "
    "kritisch kritisk kritiska critique crítico crítica critico critica критический критичный "
    "критическая критично "
    "критическое 严重 致命 緊急",
    "high": "high important major p1 hoch hög höga élevé élevée haute alto alta hohe важный важная "
    "высокий высокая высокое "
    "существенный 高 重要",
    "medium": "medium med moderate warning warnings warn p2 mittel medel måttlig moyen moyenne medio "
    "media médio média "
    "средний средняя среднее 中",
    "low": "low minor p3 niedrig gering låg låga faible bas mineur baixo baixa bajo baja leve низкий "
    "низкая низкое "
    "незначительный 低 轻微",
    "info": "info informational information nit nits nitpick nitpicks suggestion suggestions trivial p4 "
    "cosmetic hinweis "
    "информационный тривиальный 提示 建议",
}
for _severity, _words in _SEVERITY_LISTS.items():
    SEVERITY_WORDS.update(dict.fromkeys(_words.split(), _severity))

SEVERITY_ALTERNATION = "|".join(sorted((re.escape(w) for w in SEVERITY_WORDS), key=len, reverse=True))
_SEVERITY = re.compile(
    rf"(?<![\w-])(?:(must|should)[ -]fix|nice[ -]to[ -]have|({SEVERITY_ALTERNATION}))(?![\w])", re.IGNORECASE
)

_STATUS_PATTERNS: tuple[tuple[Status, str], ...] = (
    (
        "open",
        r"(?:not|un|never|to be|partially|partly|nicht|ej|inte)[ -]?(?:yet )?(?:fixed|resolved|done|"
        r"addressed|started|behoben)"
        r"|open|todo|to do|pending|in[ -]progress|wip|remaining|outstanding|unaddressed|reopened|needs? "
        r"(?:fix|work)|"
        r"offen|öppen|открыт\w*|in bearbeitung|new",
    ),
    (
        "rejected",
        r"rejected|refuted|retracted|false[ -]positive|won'?t[ -]?fix|wontfix|invalid|superseded|not (?:a|"
        r"an) (?:bug|issue|"
        r"problem|defect)|not bugs|works as (?:intended|designed)|withdrawn|dismissed|declined|not "
        r"reproducible|duplicate",
    ),
    (
        "deferred",
        r"deferred|postponed|acknowledged|accepted(?: risk)?|risk accepted|backlog(?:ged)?|filed for "
        r"later|later|"
        r"out of scope|not applied|skipped|wont now|uppskjut\w*",
    ),
    (
        "fixed",
        r"(?:all |auto-?)?fixed|resolved|done|closed|completed?|implemented|addressed|mitigated|patched|"
        r"solved|remediated|"
        r"behoben|erledigt|gelöst|åtgärdad\w*|fixat|fixad|исправлен\w*|решен\w*|corrigé|résolu|corregido|"
        r"resuelto|corrigido|"
        r"已修复|已解决",
    ),
)
_STATUS_START = re.compile(
    r"^(?:status\s*:\s*)?(?:" + "|".join(f"(?P<{name}>{pattern})" for name, pattern in _STATUS_PATTERNS) + r")(?!\w)",
    re.IGNORECASE,
)
_MARKS = re.compile(
    r"^[\s*_~`\"'()\[\]:>—–\-\ufe0f\u200d]+|^[^\w\s]*[\U0001f300-\U0001faff\u2600-\u27bf\u2b00-\u2bff\ufe0f]+"
)
STATUS_ALTERNATION = "|".join(pattern for _, pattern in _STATUS_PATTERNS)


def without_marks(text: str) -> str:
    """`text` without leading emoji, brackets and emphasis."""
    for _ in range(6):
        shorter = _MARKS.sub("", text, count=1)
        if shorter == text:
            return text
        text = shorter
    return text


def severity_of(text: str) -> Severity | None:
    """The severity that the start of a field, cell or tag names."""
    match = _SEVERITY.search(without_marks(text)[:60])
    return None if match is None else _meaning(match)


def leading_severity(text: str) -> tuple[Severity, str, str] | None:
    """(severity, word as written, rest) when `text` begins with a severity word."""
    clean = without_marks(text[:400])
    match = _SEVERITY.match(clean)
    if match is None:
        return None
    meaning = _meaning(match)
    return None if meaning is None else (meaning, match[0], clean[match.end() :])


def _meaning(match: re.Match[str]) -> Severity | None:
    if match[2]:
        return SEVERITY_WORDS[match[2].lower()]
    if match[1]:
        return "critical" if match[1].lower() == "must" else "medium"
    return "low"


def status_of(text: str) -> Status | None:
    """The status that the start of a field, cell or heading suffix names."""
    match = _STATUS_START.match(without_marks(text[:200]))
    if match is None:
        return None
    for name, _ in _STATUS_PATTERNS:
        if match[name]:
            return name
    return None


# Labels with which people name the parts of one finding. A paragraph, bullet or sub-heading with such a label
# belongs to the finding above it.
_LABELS: dict[str, str] = {
    "severity": "severity|sev|severity level|risk level|risk rating|criticality|schweregrad|"
    "allvarlighetsgrad|sévérité|"
    "severidad|severidade|gravité|серьёзность|серьезность|критичность|严重程度|严重性",
    "priority": "priority|prio|priorität|prioritet|приоритет|prioridad|prioridade|priorité|优先级",
    "status": "status|state|resolution status|current status|статус|estado|statut|状态|disposition|resolution|outcome",
    "resolved": "resolved|fixed|fix applied|applied fix|resolution applied|fixed in|date fixed|closed",
    "files": "file|files|location|locations|where|affected file|affected files|files affected|example "
    "files|path|paths|"
    "file modified|files modified|modified files|file(s)|code location|source|datei|dateien|fil|filer|"
    "файл|файлы|fichier|"
    "fichiers|archivo|archivos|arquivo|arquivos|文件|位置|component|components|affected component|affected "
    "components|"
    "affected code|affected|file path|file/line|lines|line|where found|evidence location|key files|instances|"
    "affected locations|vulnerable code location|relevant files|missing",
    "issue": "issue|issues|problem|problems|problem summary|description|details|detail|finding|summary|"
    "what|symptom|symptoms|"
    "observation|concern|bug|current|current state|current behavior|actual|actual behavior|what's wrong|"
    "what happens|"
    "what's not tested|not tested|краткое описание|описание|beschreibung|beskrivning|descripción|"
    "descrição|问题|描述|"
    "what's missing|current capacity|limit|limitation|limits|gap|weakness|explanation|context|background|"
    "vulnerability|failure scenario|scenario|smell|risk|risks|note",
    "impact": "impact|impacts|consequence|consequences|effect|effects|business impact|security impact|"
    "blast radius|"
    "user impact|auswirkung|påverkan|влияние|impacto|影响|why it matters|why this matters|attack scenario|"
    "exploit scenario|"
    "attack vector|likelihood|blocks|exploitability",
    "cause": "cause|causes|root cause|root cause analysis|reason|why|why fragile|rationale|ursache|orsak|"
    "причина|causa|原因|"
    "analysis|trigger|triggers",
    "fix": "fix|fixes|fix required|required fix|fix approach|recommendation|recommendations|recommended "
    "fix|solution|"
    "solutions|suggested fix|proposed fix|remediation|mitigation|mitigations|action|action required|"
    "required action|"
    "improvement path|migration plan|migration path|safe modification|scaling path|changes required|"
    "required changes|suggestion|suggested change|"
    "recommended action|how to fix|proposed solution|quick fix|better approach|lösung|åtgärd|решение|"
    "рекомендация|"
    "recommandation|recomendación|recomendação|修复|建议|resolves when|recommended|required|implementation|"
    "what to do|proposal|fix direction|action plan|refactoring|solution implemented",
    "test": "test plan|tests|test|testing|test coverage|test coverage gaps|verification|verify|how to "
    "verify|reproduction|"
    "reproduce|steps to reproduce|repro|steps|шаги воспроизведения|фактический результат|ожидаемый "
    "результат|expected|"
    "expected behavior|expected result|actual result|verification steps|acceptance criteria|упавшие "
    "тесты|упавший тест",
    "evidence": "evidence|proof|proof of concept|poc|example|examples|code|code example|current code|"
    "vulnerable code|before|"
    "after|pattern|current implementation|references|reference|see|see also|related|output|log|logs",
    "effort": "effort|estimated effort|estimate|estimated time|time|complexity|fix effort|difficulty|cost",
    "other": "current mitigation|mitigated by|workaround|depends on|benefits|expected benefits|tables|"
    "date|date fixed|module|url|commit|commits|owner|assignee|category|type|cwe|owasp|cvss|confidence|"
    "usage|decision|"
    "decision required|discussion|response|comment|resolution notes|tool|rule|cvss score|author|team "
    "response|question|"
    "existing alternative ignored|actual protection|how it works|options|tags|area|scope|reviewer|"
    "reported by|found by|id",
}
LABEL_MEANING: dict[str, str] = {word: meaning for meaning, words in _LABELS.items() for word in words.split("|")}
_LABEL_TAIL = re.compile(r"\s*(?:\([^)]*\)|#?\d{1,2}|\s[a-z])$", re.IGNORECASE)


def label_meaning(label: str) -> str | None:
    """Which part of a finding a label names: `Fix (option A)` is a fix, `Affected Files` are files."""
    clean = without_marks(label).strip(" :*_`.?!").lower()
    meaning = LABEL_MEANING.get(clean)
    if meaning is None and len(clean) < 80:
        head = _LABEL_TAIL.sub("", clean).split(" - ")[0].split(" — ")[0].strip(" :*_`")
        meaning = LABEL_MEANING.get(head)
    return meaning


def word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


def words_of(text: str) -> list[str]:
    """Lower-case words, without emoji, punctuation and markup."""
    return re.findall(r"[^\W_]+(?:[-'’][^\W_]+)*", text.lower())
