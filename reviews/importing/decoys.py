"""Parts of a review that look like findings and are none: praise, legends, methods, templates, plans, recaps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from reviews.importing.document import PSEUDO_HEADING_LEVEL, Block, Section
from reviews.importing.section_words import part_named
from reviews.importing.titles import EMOJI, TitleParts, plain

MAX_BESIDE = 16
# Titles are asked about once by each recogniser and once by each heading beside them.
KEPT = 4_096
MAX_LABEL = 60
MAX_TOLD = 4
MIN_LEGEND = 3

_HEADINGS: tuple[tuple[str, str], ...] = (
    (
        "praise or a list of what was checked and found good",
        r"strengths?|working well|went well|well[- ]done|good practices?|best practices followed|"
        r"positives?|highlights|"
        r"(?:what|things?)(?:'?s| is| was| i| we| that)? (?:good|great|work(?:s|ing|ed)|right|nice|"
        r"fine|liked?|loved?|kept)(?: well)?|verified (?:clean|correct|ok)|items verified(?: .*)?|"
        r"looks? good|pros\b|achievements|"
        r"accomplishments|what we (?:kept|removed)|done right|clean (?:areas|bill)|passed checks?|no "
        r"issues? found|"
        r"ready for production|positive (?:observations?|findings?|aspects?|notes?)|praise|kudos|"
        r"expected (?:improvements|benefits)|stärken|styrkor|сильные стороны|puntos fuertes|points forts|优点|"
        r"(?:security|good) (?:controls|measures|patterns) (?:in place|verified)|nice touches|"
        r"commendations?|acknowledg(?:e)?ments|"
        r"not vulnerable|non[- ]issues?|confirmed (?:safe|ok|good)|what (?:was|is) (?:checked|verified)|"
        r"already (?:fixed|done|good)|problems? solved",
    ),
    (
        "a legend of severities",
        r"(?:severity|risk|impact|priority|finding) (?:classification|definitions?|levels?|legend|"
        r"ratings?|matrix|scale|criteria|"
        r"guide|categories|categorization)|legend|classification of (?:issues|findings)|definitions|"
        r"glossary|rating system|"
        r"action required for severity levels|likelihood|how (?:we|issues are) (?:rate|classif)",
    ),
    (
        "the method or setting of the review",
        r"method(?:ology|s)?|approach|scope|introduction|about\b.*|disclaimers?|overview|background|context|"
        r"files? (?:reviewed|analy[sz]ed|examined|checked)|review(?:ed)? (?:scope|process|method\w*|team|"
        r"details|metadata)|tools? used|"
        r"privileged (?:roles|actors).*|roles & actors|system overview|assumptions|commands run|environment|"
        r"security assessment summary|protocol (?:overview|summary)|architecture overview|project "
        r"(?:statistics|overview|info\w*)",
    ),
    (
        "a template or guidance",
        r"templates?|how to .*|trouble-?shooting(?: .*)?|guidelines?|instructions?|"
        r"report(?:ing)? (?:new|a) (?:bug|issue).*|"
        r"update "
        r"(?:bug|issue) status|"
        r"usage|getting started|prohibited patterns|required questions|what to look for|review "
        r"(?:checklist|criteria|process)|"
        r"how (?:to|it|this|they|we|\w+s (?:are|is|were)) .*|when (?:adding|refactoring|reviewing).*|"
        r"contributing|notes for (?:future|developers?).*|"
        r"(?:code |usage )?examples?|example "
        r"(?:report|finding).*",
    ),
    (
        "a checklist or a test plan",
        r".*\bcheck-?list\b.*|test(?:ing)? (?:plan|strategy|recommendations|steps|results?|scenarios?)|"
        r"verification(?: (?:checks?|steps|plan|"
        r"results?|commands?|checklist))?|acceptance criteria|definition of done|exit criteria|quality "
        r"gates?|checklista|"
        r"(?:review|merge|approval|readiness) (?:status|readiness)|manual test\w*|regression tests?|"
        r"validation(?: (?:results?|steps))?|success (?:criteria|metrics)|test coverage by .*",
    ),
    (
        "a record of changes",
        r"files? (?:modified|changed|created|touched|deleted|updated|affected by.*|"
        r"(?:that )?need(?:ing)? .*|to (?:be )?\w+)|change ?log|changes? "
        r"(?:made|summary|applied|log)|"
        r"work ?log|commits?(?: addressing.*)?|"
        r"revision history|version history|history|document history|timeline|corrections?(?: to .*)?|"
        r"cross[- ]?references?(?: with .*)?|references?|appendix:? references|resources|related "
        r"(?:documents?|files|links)|"
        r"additional bug files|decisions applied.*|decisions|review history|iteration history|"
        r"implementation (?:log|notes)|"
        r"deployment (?:notes|impact.*)|what changed",
    ),
    (
        "numbers about the code or the review",
        r"(?:key |detailed |code (?:quality )?|quality )?metrics(?:.*)?|statistics|stats|score(?:card|s)?|"
        r"summary (?:table|statistics|of counts)|"
        r"(?:project|code) statistics|total issues|issue (?:counts?|statistics|map|distribution)|by "
        r"(?:severity|category|file|numbers)|"
        r"file-by-file.*|appendix: file.*|coverage|.*\btruth table|comparison .*|compliance(?: .*)?|risk "
        r"assessment|"
        r"portability score.*|.*readiness (?:score|assessment)|.*assessment matrix|test distribution|"
        r"performance characteristics",
    ),
    (
        "open questions",
        r"(?:open |outstanding |remaining )?questions?(?: for .*)?|discussion(?: points)?|cross-cutting observations",
    ),
)
_RECAPS = (
    r"(?:executive |review |final |overall )?summary(?: of findings)?|"
    r"(?:[\w&/'-]+ ){0,2}(?:status|score|health|module|"
    r"component|progress|completion|task|work|quality|project) summary(?: table)?|conclusions?|final (?:verdict|"
    r"assessment|thoughts|notes?|recommendation)|"
    r"verdict|tl;?dr|at a glance|quick (?:index|summary|reference)|sammanfattning|slutsats|"
    r"zusammenfassung|fazit|résumé|"
    r"resumen|conclusión|resumo|резюме|вывод(?:ы)?|итоги|总结|结论|approval decision|recommendation|overall "
    r"assessment|"
    r"bottom line|sign[- ]?off|closing|key (?:findings|takeaways)|"
    r"assessment|final"
)
_PLANS = (
    r"(?:[\w&/'-]+ ){0,3}(?:action (?:plan|items?)|next steps?|road ?map|priorit(?:y|ies|ized|ised) "
    r"(?:fix(?:es)?|list|order|matrix|actions?|recommendations?|"
    r"ranking|summary)|fix (?:order|list|priority|plan|sequence)|punch list|follow[- ]?ups?(?: "
    r"recommendations?)?|recommended (?:action|fix|order|next|"
    r"priority|remediation).*|remediation (?:plan|priority|order|roadmap|summary|timeline)|implementation "
    r"(?:plan|order|priority|roadmap|timeline)|"
    r"suggested (?:order|priority|fix order).*|phase plan|migration (?:plan|readiness)|quick wins|to-?do "
    r"list|backlog|sprint plan(?:ning)?|"
    r"estimated (?:effort|time)|effort (?:estimate|summary)|priority (?:summary|table)|migration "
    r"readiness|fix first|timeline)"
    r"(?: (?:summary|list|table|items?|overview|by .*|for .*|\(.*\)))?"
    r"|recommendations?(?: .*)?|.*\brecommendations?(?: (?:summary|by priority|\(.*\)|for .*|going "
    r"forward))?|priorities|"
    r"rekommendationer.*|empfehlungen.*|рекомендации.*|recomendaciones|recomendações|recommandations|next|建议|"
    r"short[- ]term.*|long[- ]term.*|medium[- ]term.*|immediate(?: \(.*\)| actions?.*)?|future (?:work|"
    r"improvements|considerations|enhancements)|"
    r"top[- ]?(?:\d+|three|five|ten)\b.*|strategic .*|lessons learned|nice to haves?"
)
_HARD = tuple(
    (reason, re.compile(rf"^(?:the |our |my )?(?:{pattern})$", re.IGNORECASE)) for reason, pattern in _HEADINGS
)
# The same parts, named in other languages.
_ELSEWHERE = dict(
    zip(
        ("praise", "legend", "method", "examples", "checklist", "record", "numbers", "questions"),
        (_HEADINGS[at][0] for at in range(8)),
        strict=True,
    )
)
_RECAP = re.compile(rf"^(?:the )?(?:{_RECAPS})$", re.IGNORECASE)
_PLAN = re.compile(rf"^(?:{_PLANS})$", re.IGNORECASE)
_WITH_PROBLEMS = re.compile(
    r"^(?:[\w-]+ ){0,2}(?:issues?|findings?|bugs?|concerns?|problems?|vulnerabilities|gaps|risks?|debt)"
    r"\s*(?:&|and|und|och|\+|/)",
    re.IGNORECASE,
)
_TITLE_OF_GUIDE = re.compile(
    r"\b(?:contract|template|guidelines?|guide|policy|playbook|how (?:to|we|i|you)|standards?|style ?guide|runbook|"
    r"submitting|contributing|readme|process|prompt|instructions|check-?list|change-?log|release notes|"
    r"tutorial|manual|anleitung|leitfaden|richtlinien?|"
    r"guía|guia|handleiding|richtlijn\w*|instrukcja|przewodnik|vägledning|riktlinjer|руководство|инструкция|памятка|"
    r"регламент|посібник|інструкція)\b|指南|手册|教程|ガイド|手順|マニュアル|가이드|안내서|지침",
    re.IGNORECASE,
)
_PART = re.compile(
    r"^(?:phase|step|option|week|day|sprint|stage|part|alternative|approach|cause|reason|example|scenario|"
    r"case|attempt|fas|"
    r"iteration|milestone|table|figure|appendix|test case|schritt|шаг|round|wave|tier|question|solution|"
    r"root cause|method|variant|before|after|layer)\s*(?:#?\d+|[a-z])?\b\s*(?:[:.)(—–-]|$)",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"^(?:(?:[\w#\s]{0,20}[:\-]?\s*)?(?:\[(?:[A-Za-z][^\]]{0,80}|\.{2,}|…)\]|<[A-Za-z][^>]{0,80}>|\{\{?[^}]{1,80}\}\}?|"
    r"\.{3,}|…|_{3,})|(?:[\w#\s]{0,20}[:\-]\s*)?(?:tbd|todo|xxx+))[.:]?$",
    re.IGNORECASE,
)
_NOTHING = re.compile(
    r"^(?:none|nothing|n/?a|no (?:\w+ ){0,3}(?:issues?|findings?|problems?|bugs?|concerns?|"
    r"vulnerabilities|defects?|blockers?)"
    r"(?: (?:found|identified|detected|remain\w*|at this time|reported))?|no .{0,60} (?:found|identified|"
    r"detected)|-+|—|keine?|inga|нет|aucune?|"
    r"не (?:выявлено|обнаружено|найдено)|не (?:виявлено|знайдено)|відсутні|отсутствуют|"
    r"nie (?:stwierdzono|znaleziono)|brak|"
    r"ningun[oa]s?|nenhuma?|nessun[oa]?|geen|inget|rien|无|未发现|なし|没有|없음)\b\s*(?:[.!](?:\s.*|$)|[(—–:-].*|$)",
    re.IGNORECASE,
)
_GOOD_MARK = re.compile(
    r"^\s*(?:\[[ xX]\]\s*)?[*_~`]*\s*(?:✅|☑|✔|✓|👍|🟢 ok|\(ok\)|PASS\b|\[PASS\]|✨|🎉)", re.IGNORECASE
)
_BAD_MARK = re.compile(r"^\W{0,6}[\u26a0\u274c\U0001f534]|[\u26a0\u274c\U0001f534]\ufe0f?\W*$")
_COUNT = re.compile(r"^[^:|]{1,60}[:|—–-]\s*[*_]*\s*\d+\s*(?:\w+)?[*_]*\s*(?:\([^)]*\)|,\s[^,]{1,30})?\.?$")
_COUNTED = re.compile(
    r"^\W{0,4}(?:\d{1,3}|no|zero|one|two|three|four|five)\b\W{0,4}(?:[\w-]+\s+){0,3}"
    r"(?:issues?|findings?|observations?|bugs?|vulnerabilities|vulnerability|warnings?|notes?|befunde|mängel|fehler|"
    r"problèmes?|problemas?|hallazgos?|achados?|problem|fynd|проблем\w*|замечани\w+)\W*$",
    re.IGNORECASE,
)
_GOOD_END = re.compile(r"(?<!fixed)(?<!done)(?<!resolved)(?<!closed)[\s.)*]\s*[✅☑✔]\ufe0f?\s*$", re.I)
_NON_FINDING = re.compile(r"^[\[(]\s*(?:non[- ]finding|not an? (?:issue|bug|finding)|no (?:issue|finding)|ok\b)", re.I)
_NEXT = re.compile(
    r"^(?:recommended |suggested |immediate )?(?:next|following) (?:steps?|actions?)\b|"
    r"^(?:optional |possible )?future (?:work|improvements?|enhancements?|considerations?|ideas?|features?)\b|"
    r"^nächste schritte|^prochaines étapes|"
    r"^próximos pas|^prossimi passi|^volgende stappen|^nästa steg|^(?:następne|kolejne) kroki|^следующие шаги|"
    r"^наступні кроки|^下一步|^后续步骤|^次のステップ|^다음 단계",
    re.IGNORECASE,
)
_CLEAN_STATUS = re.compile(
    r"^\W*(?:no (?:\w+ )?(?:errors?|issues?|problems?|findings?)\b.{0,40}|clean|ok|pass(?:ed)?|"
    r"good|healthy|excellent|compliant|"
    r"secure|safe|verified(?: (?:ok|clean|correct))?|none found|in ordnung|bon|correcto|correto|"
    r"нормально|正常|良好|양호)\W*$",
    re.IGNORECASE,
)
_PRAISE = _HEADINGS[0][0]
_DECISION = re.compile(
    r"^(?:decision|entscheidung|décision|decisión|decisão|decisione|beslissing|besluit|beslut|decyzja|决定|決定|결정)$",
    re.IGNORECASE,
)
_CLEAN_END = re.compile(
    r"(?:^|[.!:;)。]\s*|[—–-]\s+)(?:no (?:real )?(?:issues?|problems?|findings?|vulnerabilit\w+|action)"
    r"(?: (?:found|here|needed|required|identified))?|not (?:applicable|vulnerable|exploitable|"
    r"an issue|a problem|affected)|"
    r"none found|nothing found|n/a|works as (?:intended|designed)|by design|kein (?:problem|befund|mangel)|"
    r"keine (?:probleme|mängel|befunde)|nicht betroffen|aucun problème|non applicable|sin (?:problemas|hallazgos)|"
    r"no aplica|sem problemas|não se aplica|nessun problema|geen probleem|inget problem|inga problem|brak problemów|"
    r"проблем нет|нет проблем\w*|не обнаружено|проблем не\w* \w+|无问题|没有问题|未发现问题|問題なし|문제 없음)\W*$",
    re.IGNORECASE,
)
_DEFINES = re.compile(
    r"\b(?:must be|must fix|should be|may be|can wait|optional|before merge|before release|"
    r"defects?|failures?|immediate(?:ly)?|"
    r"sofort|muss|sollte|doit|debe|deve|moet|måste|musi|должн\w+)\b|必须|应当",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"`|\w/\w|\.\w{1,4}:\d|\(\)|\w\.(?:py|js|ts|go|rs|java|rb|php|cs|c|cpp|sql|ya?ml|json|html|css|sol)\b"
)
_FIX_STEP = re.compile(
    r"^(?:fix|correction|correctif|korrektur|correção|corrección|исправление|修复)\s*#?\d{1,2}\b", re.IGNORECASE
)
_LEAD = re.compile(
    rf"^(?:§?\d+(?:\.\d+)*[.):]?\s+|[一二三四五六七八九十]{{1,3}}[、.．]|[IVX]{{1,4}}[.)]\s+|{EMOJI}|\s|[*_#:–—-])+"
)


def heading_words(title: str) -> str:
    """A heading without number, emoji, emphasis and what stands in brackets at its end."""
    text = _LEAD.sub("", plain(title))
    text = re.sub(rf"(?:{EMOJI}|\s|:)+$", "", text)
    without = re.sub(r"\s*\([^()]*\)$", "", text).strip(" :*—–-")
    return without or text


@lru_cache(maxsize=KEPT)
def decoy_heading(title: str) -> str | None:
    """Why nothing under this heading is a finding, unless it carries the author's own ref."""
    text = heading_words(title)
    halves = re.split(r"\s[—–-]\s|:\s|：", text)
    for candidate in (text, halves[0], halves[-1]):
        for reason, pattern in _HARD:
            if pattern.match(candidate):
                return reason
    return _ELSEWHERE.get(part_named(text) or "")


def recap_heading(title: str) -> bool:
    text = heading_words(title)
    first = re.split(r"\s[—–-]\s|:\s|：", text)[0]
    return bool(_RECAP.match(text) or _RECAP.match(first)) or part_named(first) == "recap"


def plan_heading(title: str) -> bool:
    text = heading_words(title)
    return (bool(_PLAN.match(text)) and not _WITH_PROBLEMS.match(text)) or part_named(text) == "plan"


def guide_title(title: str) -> bool:
    """A document whose own title says that it tells people how to review or report."""
    return bool(_TITLE_OF_GUIDE.search(plain(title)))


def part_heading(title: str) -> bool:
    """`Step 1`, `Option A`, `Cause #2`: a part of something else."""
    return bool(_PART.match(plain(title).strip("*: ")))


def placeholder(title: str) -> bool:
    """`[Summary]`, `<title>`: a template nobody has filled in."""
    return bool(_PLACEHOLDER.match(title.strip("*_` ")))


def says_nothing(title: str) -> bool:
    """`None`, `No issues found`: the author says that there is nothing here."""
    return bool(_NOTHING.match(title.strip("*_ ")))


def good_mark(raw: str) -> bool:
    """The text begins with a check mark: it says what is right."""
    return bool(_GOOD_MARK.match(raw))


def ends_good(raw: str) -> bool:
    """The text ends in a check mark and says of nothing that it was put right."""
    return bool(_GOOD_END.search(raw[-MAX_LABEL:]))


def reviewed_area(section: Section) -> bool:
    """A heading over praise, or over a mix of check marks and warnings, names what was looked at, not a problem."""
    if section.area is None:
        section.area = _looked_at(section)
    return section.area


def _looked_at(section: Section) -> bool:
    if _has_praise(section):
        return True
    blocks = list(section.all_blocks())
    items = [block for block in blocks if block.kind == "item"]
    good = sum(1 for item in items if good_mark(item.text))
    said = [block for block in blocks if block.kind == "paragraph"]
    well = sum(1 for block in said if good_mark(block.text))
    return (good >= 2 and good * 4 >= len(items)) or (well >= 2 and well * 2 >= len(said))


def _has_praise(section: Section) -> bool:
    """`**Strengths**:` under a heading: strengths and weaknesses are those of an area."""
    labels = [child.title for child in section.children[:MAX_BESIDE] if child.level >= PSEUDO_HEADING_LEVEL]
    labels.extend(block.text.split("\n")[0] for block in section.blocks[:MAX_BESIDE] if block.kind == "paragraph")
    return any(len(label) < MAX_LABEL and decoy_heading(label) == _PRAISE for label in labels)


def decision_record(labels: Iterable[str]) -> bool:
    """`Decision: ... Reason: ...`: something that was decided, not something found."""
    return any(_DECISION.match(plain(label).strip(" :*")) for label in labels)


def found_clean(section: Section) -> bool:
    """What is said under the heading ends in the words that nothing is wrong: `... removed at once. **No issue.**`"""
    told = [block for block in section.blocks if block.kind in ("paragraph", "item")]
    if not told or section.children or len(told) > MAX_TOLD:
        return False
    return bool(_CLEAN_END.search(plain(told[-1].text[-MAX_LABEL * 3 :])))


def legend(items: Sequence[Block], rated: Callable[[str], tuple[str, str, str] | None]) -> bool:
    """Every severity once, each with what it means and no place in the code: a legend, not a list of findings."""
    named = [found for item in items if (found := rated(item.text)) is not None]
    if len(named) < MIN_LEGEND or len(named) != len(items) or len({found[0] for found in named}) != len(named):
        return False
    told = " ".join(item.text for item in items)
    return bool(_DEFINES.search(told)) or not _PLACE.search(told)


def step_of_fixing(title: str) -> bool:
    """`FIX 3: ...` is how something is put right; it is a finding only where no other is listed."""
    return bool(_FIX_STEP.match(heading_words(title)))


def next_steps(section: Section) -> bool:
    """`Next steps`: what is to be done, in which nothing is found."""
    return any(_NEXT.search(heading_words(part.title)) for part in (section, *section.ancestors()))


def clean_status(value: str) -> bool:
    """`Status: CLEAN`, `Status: no errors found`: the state of something that was looked at."""
    return bool(_CLEAN_STATUS.match(plain(value.split("\n")[0])))


def among_areas(section: Section) -> bool:
    """The heading, or most of the headings beside it, name areas that were looked at; one marked as bad does not."""
    if _BAD_MARK.search(section.title):
        return False
    if reviewed_area(section):
        return True
    siblings = section.parent.children[:MAX_BESIDE] if section.parent else []
    beside = [other for other in siblings if other.level == section.level]
    return len(beside) > 2 and sum(1 for other in beside if reviewed_area(other)) * 2 > len(beside)


def not_a_finding(parts: TitleParts, raw: str) -> str | None:
    """Why a title that stands where findings stand is none."""
    if placeholder(parts.title):
        return "a template's placeholder"
    if parts.clean or _NON_FINDING.match(parts.title):
        return "the author calls it clean"
    if says_nothing(parts.title):
        return "the author says that there is nothing"
    if not re.search(r"\w{2}", parts.title):
        return "no words"
    return None


def count_row(block: Block) -> bool:
    """`Critical: 2`, `3 low severity issues`: a total, not a finding."""
    text = block.text.strip()
    return bool(_COUNT.match(text)) or bool(_COUNTED.match(text))
