"""Which headings and labels announce a part of a review that stands beside its findings."""

from __future__ import annotations

import re
from typing import Literal

from reviews.importing.decoys import heading_words

PartKind = Literal["files", "earlier", "evidence", "plan", "checks", "actions"]

MAX_NAME = 120

_ANY = r"(?:[\w/&'’+-]+ ){0,3}"
_OLD = r"(?:previous|prior|earlier|past|preceding|carried[- ]over|last (?=review|audit|scan|round|version))"
_NUMBERED = r"(?:v\.?\d[\d.]*|(?:version|round|iteration|revision|rev|review|pass) #?\d[\d.]*)"
_TO_DO = (
    r"(?:immediate|required|recommended|corrective|preventive|remaining|open|outstanding|pending|next|follow[- ]?up|"
    r"proposed|suggested|urgent|manual|remediation|mitigation|review)"
)
_FOUND = (
    r"(?:findings?|issues?|reviews?|audits?|scans?|versions?|rounds?|iterations?|fix(?:es)?|concerns|bugs|items|"
    r"problems)"
)

# The first kind that matches is the kind, so that no line is read twice.
_NAMES: tuple[tuple[PartKind, str], ...] = (
    (
        "files",
        r"(?:(?:list of|all|source|key) )?files? (?:modified|changed|touched|updated|created|added|deleted|edited|"
        r"removed|(?:created|added|modified|changed)(?:,? ?(?:and|&|/|or),? ?\w+)+)(?: .*)?|"
        r"(?:modified|changed|touched|updated|new|created|edited) files|(?:file changes|changes by file|changed paths)|"
        r"(?:ändrade|modifierade) filer|geänderte dateien|изменённые файлы|измененные файлы|archivos modificados|"
        r"arquivos (?:modificados|alterados)|fichiers modifiés|修改的文件",
    ),
    (
        "earlier",
        rf"cross[- ]?(?:reference|check)s?(?:ed)? (?:with|to|against|of|from) .*|cross[- ]?reference|"
        rf"(?:status of |state of |follow[- ]?up (?:on|to|of) |verification of |corrections to |re-?check of |"
        rf"re-?verification of |regressions? from |comparison (?:with|to) |changes since |since )?(?:the )?"
        rf"(?:{_OLD} {_FOUND}|{_OLD} (?:review|audit|scan|code review|round|version)(?:'s)? {_FOUND}|"
        rf"{_NUMBERED}(?:'s)? {_FOUND}|{_FOUND} (?:from|of|in) (?:the )?(?:{_OLD}|{_NUMBERED}).*)(?: .*)?|"
        rf"(?:status of|follow[- ]?up (?:on|to|of)|verification of|comparison (?:with|to)|changes since|since) "
        rf"(?:the )?(?:{_OLD}|{_NUMBERED})(?: .*)?",
    ),
    (
        "evidence",
        r"(?:(?:verification|supporting|test|completion) )?evidence(?: (?:of (?:completion|work|the fix)|log))?|"
        r"proof(?: of (?:work|completion|the fix))?|proven by|bevis|nachweise?|доказательства?|evidencias?|"
        r"evidências?|preuves?|证据",
    ),
    (
        "plan",
        rf"{_ANY}test(?:ing)? (?:plans?|strategy|steps|scenarios?|recommendations?|approach|procedures?|cases to "
        r"(?:add|write))|(?:verification|validation) (?:steps|plan|procedure)|how to (?:test|verify|validate)|"
        r"(?:suggested|recommended|required|needed|new|additional) tests|tests? (?:to (?:add|write|run)|needed|"
        r"required)|qa plan|testing|manual test(?:s|ing)|testplan|план тестирования|plan de pruebas|plano de testes|"
        r"plan de tests?|测试计划",
    ),
    (
        "checks",
        r"verification(?: (?:checks?|results?|commands?|runs?|status|summary|log|output|performed|table|matrix))?|"
        r"(?:(?:final|local|automated|manual|static|build|ci|ci/cd|lint|quality|sanity|smoke|pre-merge|pre-commit|"
        r"post-fix|post-merge|post-deploy|health|regression|release|security|status|test|all|our|the) )*checks?"
        r"(?: (?:runs?|performed|passed|results?|status|summary|made|executed|done))?|"
        r"validation(?: (?:results?|checks?|commands?|status|runs?))?|(?:quality |release |merge |ci )?gates?"
        r"(?: (?:results?|status|passed))?|test(?:ing)? (?:results?|status|runs?|summary|execution|output)|tests run|"
        r"build (?:status|results?|verification|output)|ci(?:/cd)? (?:status|results?|runs?)|lint(?:er)? results?|"
        r"commands? (?:run|executed)|verified by|verifiering\w*|slutvalidering|kontroller|verifizierung|prüfungen|"
        r"проверк[аи]|verificación|verificação|vérifications?|检查结果",
    ),
    (
        "actions",
        rf"{_ANY}(?:action items?|next steps?|to-?dos?|to-?do list|task list|{_TO_DO} (?:actions?|tasks?|steps|work|"
        r"items?)|follow[- ]?ups?)(?: (?:items?|actions?|tasks?|list|before .*|for .*|by .*))?|"
        r"(?:actions?|tasks?)(?: (?:required|needed|before .*|for .*|by .*|list))?|"
        rf"{_ANY}(?:(?:to|must|should) )?(?:do|fix|fixes|done|required|needed|blocking|blockers)? ?before (?:the )?"
        r"(?:merge|merging|release|releasing|production|deploy\w*|launch|shipping|going live|go-live)|"
        r"(?:pre|post)-(?:merge|release|deploy\w*|launch)(?: (?:tasks?|items?|actions?|steps?|fixes|work))?|"
        rf"{_ANY}(?:check-?list|fix list|punch list|fixes (?:required|needed))(?: for .*)?|"
        r"checklista|nästa steg|att göra|nächste schritte|aufgaben|следующие шаги|задачи|próximos (?:pasos|passos)|"
        r"prochaines étapes|下一步|待办",
    ),
)
_KINDS = tuple((kind, re.compile(rf"^(?:{pattern})$", re.IGNORECASE)) for kind, pattern in _NAMES)
_HALVES = re.compile(r"\s[—–-]\s|:\s")
_BOLD_LABEL = re.compile(r"^(?:\*\*|__)(?P<name>[^*_:\n]{2,60}?)\s*(?::\s?(?:\*\*|__)|(?:\*\*|__)\s?:)(?P<rest>.*)$")
_PLAIN_LABEL = re.compile(r"^(?P<name>[^\W\d_][\w /&'’-]{2,50}):(?=\s|$)(?P<rest>.*)$")
_LEAD = re.compile(r"^[^\w*_`\[]{1,6}\s")
# A word that any announcement has at least one of: most lines are done with after this one look.
_HINT = re.compile(
    r"file|filer|dateien|файл|archivos|arquivos|fichiers|文件|path|cross|previous|prior|earlier|past|preceding|carried|"
    r"last|since|v\.?\d|round|iteration|version|revision|\brev\b|pass|review|eviden|evidên|proof|proven|bevis|nachweis|"
    r"доказат|preuve|证据|test|verif|valid|qa|тест|prueba|测试|check|gate|build|\bci\b|lint|command|kontroll|prüf|провер|"
    r"vérif|检查|action|step|to-?do|task|follow|before|pre-|post-|work|item|punch|fix|steg|göra|schritte|aufgaben|шаги|"
    r"задач|pasos|passos|étapes|下一步|待办",
    re.IGNORECASE,
)


def kind_of(title: str) -> PartKind | None:
    """What a heading announces, if anything: `## Verification Checks` announces checks."""
    if len(title) > 2 * MAX_NAME or not _HINT.search(title):
        return None
    words = heading_words(title)[:MAX_NAME]
    for name in dict.fromkeys((words, _HALVES.split(words)[0])):
        for kind, pattern in _KINDS:
            if pattern.match(name.strip()):
                return kind
    return None


def label_of(line: str) -> tuple[str, str] | None:
    """(name, what follows) when a line begins with a label, such as `**Evidence:** 6 of 6 pass`."""
    text = _LEAD.sub("", line.strip())
    match = _BOLD_LABEL.match(text) or _PLAIN_LABEL.match(text)
    return None if match is None else (match["name"].strip(), match["rest"].strip())
