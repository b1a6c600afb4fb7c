"""The words people use for severity, status and parts of a finding, in the languages reviews were met in."""

from __future__ import annotations

import re
import unicodedata

from reviews.importing.labels import LABELS_ABROAD
from reviews.importing.model import Severity, Status

SEVERITY_WORDS: dict[str, Severity] = {}
# `kritisch//e/er` is the stem with each of the endings; the empty one is written, too, where it is a word.
_SEVERITY_LISTS: dict[Severity, str] = {
    "critical": """
critical criticals crit blocker blockers blocking p0 sev0 sev1 sev-0 sev-1 severe showstopper showstoppers must-fix
ship-blocker ship-blockers catastrophic fatal urgent
kritisch//e/er/es/en schwerwiegend//e/er/es/en blockierend//e/er dringend//e critique//s bloquant//e/s/es urgente//s
crític/o/a/os/as critic/o/a/os/as/i/he bloqueante//s bloqueador//es/a/as bloccant/e/i kritiek//e blokkerend//e
kritisk//t/a/e blockerande krytyczn/y/a/e/ych/i blokując/y/a/e/ych kritick/ý/á/é
критическ/ий/ая/ое/ие/их/ого/ой критичн/ый/ая/ое/ые/ых/о/ий/а/е/і/их блокирующ/ий/ая/ее/ие/их блокер//ы блокуюч/ий/а/е/і
严重 嚴重 致命 緊急 紧急 危急 阻断 阻塞 必须改 必须修改 必须修复 必改 必修 重大 致命的 必須 クリティカル 치명적 치명
심각 긴급
""",
    "high": """
high important major majors p1 sev2 sev-2 serious significant
hoch hohe//r/s/n wichtig//e/er/es/en schwer//e/er élevé//e/s/es haut//e/s/es majeur//e/s/es importante//s importants
grave//s alt/o/a/os/as mayor//es elevad/o/a/os/as elevat/o/a/i/e important/i maggior/e/i gravi hoog hoge belangrijk//e
ernstig//e hög//t/a viktig//t/a allvarlig//t/a høj høy wysok/i/a/ie/ich ważn/y/a/e/ych poważn/y/a/e/ych istotn/y/a/e/ych
высок/ий/ая/ое/ие/их/ого/ой важн/ый/ая/ое/ые/ых/о существенн/ый/ая/ое/ые/ых серьёзн/ый/ая/ое/ые/ых
серьезн/ый/ая/ое/ые/ых значительн/ый/ая/ое/ые/ых висок/ий/а/е/і/их/ого важлив/ий/а/е/і/их серйозн/ий/а/е/і/их
高 高い 高危 高风险 高級 高级 高优先级 高優先度 较高 重要 主要 높음 높은 상 중요 주요
""",
    "medium": """
medium med moderate warning warnings warn p2 sev3 sev-3 normal
mittel mittler/e/er/es/en mäßig//e/er moderat//e/er/o/a/i warnung//en moyen//ne/s/nes modéré//e/s/es avertissement//s
medi/o/a/os/as médi/o/a/os/as moderad/o/a/os/as advertencia//s avis/os avvertenz/a/e gemiddeld//e matig//e
waarschuwing//en medel måttlig//t/a varning//ar średni//a/e/ch umiarkowan/y/a/e/ych ostrzeżeni/e/a
средн/ий/яя/ее/ие/их/его/ей умеренн/ый/ая/ое/ые/ых предупреждени/е/я середн/ій/я/є/і/іх помірн/ий/а/е/і попередження
中 中等 中危 中风险 中级 中级别 中优先级 中優先度 中程度 一般 警告 중간 보통 중 경고
""",
    "low": """
low minor minors p3 sev4 sev-4
niedrig//e/er/es/en gering//e/er/es/en klein//e/er/es/en leicht//e/er faible//s bas basse//s mineur//e/s/es
baj/o/a/os/as baix/o/a/os/as menor//es leve//s minor/e/i bass/o/a/i liev/e/i laag lage låg//t/a mindre lav lavt
nisk/i/a/ie/ich drobn/y/a/e/ych/i
низк/ий/ая/ое/ие/их/ого/ой незначительн/ый/ая/ое/ые/ых мелк/ий/ая/ое/ие/их минорн/ый/ая/ое/ые
низьк/ий/а/е/і/их незначн/ий/а/е/і/их дрібн/ий/а/е/і/их
低 低い 低危 低风险 低级 低优先级 低優先度 较低 轻微 輕微 軽微 次要 낮음 낮은 하 경미 사소
""",
    "info": """
info informational information informative nit nits nitpick nitpicks suggestion suggestions trivial p4 cosmetic
hinweis vorschlag vorschläge kosmetisch//e/er cosmétique//s sugerencia//s informativ/o/a/os/as sugestão sugestões
suggeriment/o/i suggestie//s informatief förslag sugesti/a/e informacyjn/y/a/e/ych kosmetyczn/y/a/e/ych
информационн/ый/ая/ое/ые/ых тривиальн/ый/ая/ое/ые/ых косметическ/ий/ая/ое/ие/их інформаційн/ий/а/е/і/их
предложени/е/я пропозиці/я/ї
提示 建议 建議 信息 可选 情報 提案 参考 정보 제안 참고
""",
}


def _forms(word: str) -> list[str]:
    stem, *endings = word.split("/")
    return [stem + ending for ending in endings] or [stem]


MIN_FOLDED = 6


def folded(text: str) -> str:
    """Latin letters without their accents, as people type where a keyboard has none."""
    return "".join(
        parts[0] if (parts := unicodedata.normalize("NFKD", letter))[0].isascii() else letter for letter in text
    )


for _severity, _words in _SEVERITY_LISTS.items():
    SEVERITY_WORDS.update({form: _severity for word in _words.split() for form in _forms(word)})
# Short words without their accents may be others: the Swedish for `low` is an English word then.
for _word, _severity in tuple(SEVERITY_WORDS.items()):
    if len(_word) >= MIN_FOLDED:
        SEVERITY_WORDS.setdefault(folded(_word), _severity)

_EAST = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_EASTERN = re.compile(f"[{_EAST}]")
_EASTERN_LEVELS = re.compile(
    "("
    + "|".join(
        sorted(
            [word for word in SEVERITY_WORDS if _EASTERN.match(word) and len(word) > 1]
            + [
                "问题",
                "問題",
                "缺陷",
                "漏洞",
                "风险",
                "项",
                "级别",
                "优先级",
                "優先度",
                "課題",
                "指摘",
                "문제",
                "이슈",
                "항목",
                "결함",
            ],
            key=len,
            reverse=True,
        )
    )
    + ")"
)
SEVERITY_ALTERNATION = "|".join(sorted((re.escape(w) for w in SEVERITY_WORDS), key=len, reverse=True))
_SEVERITY = re.compile(
    rf"(?<![\w-])(?:(must|should|could)[ -](?:fix|have)|nice[ -]to[ -]haves?|({SEVERITY_ALTERNATION}))(?![\w])",
    re.IGNORECASE,
)
_SCORE = re.compile(r"(?:^|\bcvss\b[^\d\n]{0,20}?)(10(?:\.0)?|\d\.\d)(?![\d.])", re.IGNORECASE)
_DUTIES: dict[str, Severity] = {"must": "critical", "should": "medium", "could": "low"}
_COLOURS: dict[str, Severity] = {
    "🔴": "critical",
    "🟠": "high",
    "🟡": "medium",
    "🟢": "low",
    "🔵": "info",
    "⚪": "info",
}

_STATUS_PATTERNS: tuple[tuple[Status, str, str], ...] = (
    (
        "open",
        r"(?:still |now )?(?:not|un|never|to be|partial(?:ly)?|partly)[ -]?(?:yet )?(?:been )?(?:fixed|"
        r"resolved|done|addressed|started|"
        r"implemented|remediated|mitigated)|(?:still )?open|todo|to do|to fix|pending|in[ -]progress|wip|"
        r"remaining|remains|"
        r"outstanding|unaddressed|reopened|needs? (?:fix|work|review|attention)|ongoing|new|"
        r"(?:noch )?offen\w{0,2}|(?:noch )?nicht (?:behoben|erledigt|gelöst|umgesetzt|korrigiert|geschlossen|"
        r"gefixt)|ungelöst|ausstehend|in (?:bearbeitung|arbeit)|teilweise (?:behoben|erledigt|gelöst|umgesetzt)|"
        r"ouverte?s?|à (?:faire|corriger|traiter)|en (?:cours|attente)|non (?:corrigée?s?|résolue?s?|"
        r"traitée?s?)|partiel\w*(?: \w+)?|"
        r"abiert[oa]s?|pendientes?|en (?:curso|progreso|proceso)|sin (?:corregir|resolver)|no (?:corregid|"
        r"resuelt)\w+|por hacer|"
        r"parcial\w*(?: \w+)?|(?:em )?abert[oa]s?|pendentes?|em (?:andamento|curso)|não (?:corrigid|"
        r"resolvid)\w+|a fazer|"
        r"apert[oaie]|da (?:fare|correggere|risolvere)|in (?:corso|sospeso)|non (?:risolt|corrett)\w+|parzialmente \w+|"
        r"openstaand|te doen|(?:nog )?niet (?:opgelost|verholpen|gerepareerd|hersteld|gedaan)|in behandeling|"
        r"gedeeltelijk \w+|öpp(?:en|et|na)|(?:ännu )?(?:ej|inte) (?:åtgärda|fixa|löst|klar|rätta|påbörja)\w*|"
        r"pågår|kvarstår|"
        r"återstår|att göra|delvis \w+|otwart\w+|do (?:zrobienia|naprawy|poprawy)|w toku|nie ?(?:naprawion|"
        r"rozwiązan|poprawion)\w+|"
        r"częściowo \w+|открыт\w*|не (?:исправлен|решен|решён|устранен|устранён|закрыт|выполнен)\w*|"
        r"в (?:работе|процессе)|"
        r"частично(?: \w+)?|ожида(?:ет|ют|ни)\w*|"
        r"новый|відкрит\w*|не (?:виправлен|вирішен|усунен)\w*|в роботі|частково \w+",
        "未修复|未修正|未解决|未处理|未完成|待修复|待处理|待解决|待办|待定|进行中|处理中|修复中|部分修复|"
        "未対応|未修正|未解決|"
        "対応中|未着手|一部対応|미해결|미수정|미조치|미처리|진행 ?중|열림|대기",
    ),
    (
        "rejected",
        r"rejected|refuted|retracted|false[ -]positives?|won'?t[ -]?fix|wontfix|will not fix|invalid(?:ated)?|"
        r"superseded|obsolete|"
        r"not (?:a|an) (?:bug|issue|problem|defect|vulnerability|finding)|not bugs|works as (?:intended|"
        r"designed)|withdrawn|dismissed|"
        r"declined|not reproducible|duplicate|disputed|abgelehnt|verworfen|fehlalarm|falsch[ -]positiv|"
        r"kein (?:fehler|problem)|"
        r"zurückgezogen|hinfällig|rejetée?s?|faux[ -]positifs?|invalide|retirée?s?|écartée?s?|rechazad[oa]s?|"
        r"falso[s]? positivo[s]?|"
        r"descartad[oa]s?|inválid[oa]s?|retirad[oa]s?|rejeitad[oa]s?|rifiutat[oaie]|respint[oaie]|"
        r"falsi? positiv[oi]|scartat[oaie]|"
        r"ritirat[oaie]|afgewezen|vals[ -]positief|verworpen|ingetrokken|avvisa\w+|avfärda\w+|"
        r"falskt (?:positiv|larm)\w*|"
        r"tillbakadrag\w+|inget fel|odrzucon\w+|fałszyw\w+ alarm|wycofan\w+|отклонен\w*|отклонён\w*|"
        r"ложн\w+ срабатыван\w+|"
        r"отозван\w*|не (?:баг|ошибка|проблема)|відхилен\w*|хибн\w+ спрацюван\w+",
        "误报|誤報|已拒绝|不修复|不予修复|无效|驳回|已撤回|不是问题|非问题|誤検知|却下|対応不要|対応しない|"
        "取り下げ|오탐|거부|기각|철회|반려",
    ),
    (
        "deferred",
        r"deferred|postponed|acknowledged|accepted(?: risk)?|risk accepted|backlog(?:ged)?|filed for later|later|"
        r"out of scope|not applied|skipped|wont now|parked|verschoben|zurückgestellt|aufgeschoben|vertagt|"
        r"akzeptiert\w*|"
        r"reportée?s?|différée?s?|acceptée?s?|aplazad[oa]s?|pospuest[oa]s?|diferid[oa]s?|aceptad[oa]s?|reconocid[oa]s?|"
        r"adiad[oa]s?|postergad[oa]s?|aceit[oae]s?|reconhecid[oa]s?|(?:riesgo|risco|rischio|risque) (?:ac\w+)|"
        r"rimandat[oaie]|"
        r"rinviat[oaie]|posticipat[oaie]|accettat[oaie]|uitgesteld|geaccepteerd|uppskjut\w*|senarelag\w+|accepterad\w*|"
        r"odroczon\w+|odłożon\w+|przełożon\w+|zaakceptowan\w+|отложен\w*|перенесен\w*|принят\w*(?: риск)?|"
        r"відкладен\w*|прийнят\w*",
        "已推迟|推迟|延期|暂缓|搁置|已接受|接受风险|风险接受|已知悉|保留|見送り|受容|先送り|後回し|보류|연기|"
        "수용|위험 수용",
    ),
    (
        "fixed",
        r"(?:all |auto-?|now |already |been )?fixed|(?:fully )?resolved|done|closed|completed?|implemented|"
        r"addressed|mitigated|patched|"
        r"solved|remediated|corrected|behoben\w*|erledigt\w*|gelöst\w*|umgesetzt\w*|korrigiert\w*|geschlossen|"
        r"beseitigt|gefixt|"
        r"corrigée?s?|résolue?s?|terminée?s?|traitée?s?|fermée?s?|corregid[oa]s?|resuelt[oa]s?|"
        r"solucionad[oa]s?|arreglad[oa]s?|"
        r"cerrad[oa]s?|completad[oa]s?|corrigid[oa]s?|resolvid[oa]s?|concluíd[oa]s?|fechad[oa]s?|corrett[oaie]|"
        r"risolt[oaie]|"
        r"chius[oaie]|completat[oaie]|opgelost|verholpen|gerepareerd|hersteld|gesloten|afgerond|åtgärda\w+|"
        r"fixat|fixad|löst|"
        r"stängd|rättad|klart?|naprawion\w+|poprawion\w+|rozwiązan\w+|zamknięt\w+|zrobion\w+|исправлен\w*|"
        r"решен\w*|решён\w*|"
        r"закрыт\w*|устранен\w*|устранён\w*|выполнен\w*|готово|сделано|пофикшен\w*|виправлен\w*|вирішен\w*|"
        r"закрит\w*|усунен\w*|"
        r"виконан\w*",
        "已修复|已修復|已修正|已修改|已解决|已解決|已完成|已关闭|已处理|修复完成|修正済み?|対応済み?|解決済み?|"
        "完了|해결됨|해결|수정됨|"
        "수정 ?완료|조치 ?완료|완료|닫힘",
    ),
)
_STATUS_START = re.compile(
    r"^(?:(?:status|статус|statut|estado|stato|状态|狀態|상태|ステータス)\s*[:：]\s*)?(?:"
    + "|".join(f"(?P<{name}>(?:{spaced}|{folded(spaced)})(?!\\w)|{east})" for name, spaced, east in _STATUS_PATTERNS)
    + r")",
    re.IGNORECASE,
)
_MARKS = re.compile(
    r"^[\s*_~`\"'()\[\]:：>—–\-【】（\ufe0f\u200d]+|^[^\w\s]*[\U0001f300-\U0001faff\u2600-\u27bf\u2b00-\u2bff\ufe0f]+"
)
STATUS_ALTERNATION = "|".join(f"{spaced}|{folded(spaced)}|{east}" for _, spaced, east in _STATUS_PATTERNS)


def without_marks(text: str) -> str:
    """`text` without leading emoji, brackets and emphasis."""
    for _ in range(6):
        shorter = _MARKS.sub("", text, count=1)
        if shorter == text:
            return text
        text = shorter
    return text


def _apart(text: str) -> str:
    """Words of scripts that write no spaces, set apart where they are known: `严重问题` is two."""
    return _EASTERN_LEVELS.sub(r" \1 ", text) if _EASTERN.search(text) else text


def severity_of(text: str) -> Severity | None:
    """The severity that the start of a field, cell or tag names, in words, as a CVSS score or as a colour."""
    start = _apart(without_marks(text)[:60])
    match = _SEVERITY.search(start)
    if match is not None:
        return _meaning(match)
    score = _SCORE.search(start)
    if score is not None:
        return _of_score(float(score[1]))
    return colour_of(text)


def colour_of(text: str) -> Severity | None:
    """The severity of a coloured mark at the start."""
    return _COLOURS.get(text.lstrip(" *_[(")[:1])


def _of_score(score: float) -> Severity:
    steps: tuple[tuple[float, Severity], ...] = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"))
    return next((severity for least, severity in steps if score >= least), "info")


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
        return _DUTIES[match[1].lower()]
    return "low"


def status_of(text: str) -> Status | None:
    """The status that the start of a field, cell or heading suffix names."""
    match = _STATUS_START.match(without_marks(text[:200]))
    if match is None:
        return None
    for name, _, _ in _STATUS_PATTERNS:
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
LABEL_MEANING: dict[str, str] = {
    word: meaning
    for labels in (LABELS_ABROAD, _LABELS)
    for meaning, words in labels.items()
    for word in words.split("|")
}
for _label, _part in tuple(LABEL_MEANING.items()):
    LABEL_MEANING.setdefault(folded(_label), _part)
# What may stand before a label without another meaning: `Original Issue`, `Affected Files`, `Suggested Fix`.
_LABEL_HEAD = re.compile(
    r"^(?:original|current|affected|suggested|recommended|proposed|possible|potential|main|relevant|related|required|"
    r"primary|exact|the|final|overall|assigned|estimated)\s+(?=\S)"
)
_LABEL_TAIL = re.compile(r"\s*(?:\([^)]*\)|#?\d{1,2}|\s[a-z])$", re.IGNORECASE)


def label_meaning(label: str) -> str | None:
    """Which part of a finding a label names: `Fix (option A)` is a fix, `Affected Files` are files."""
    clean = without_marks(label).strip(" :*_`.?!").lower()
    meaning = LABEL_MEANING.get(clean)
    if meaning is None and len(clean) < 80:
        head = _LABEL_TAIL.sub("", clean).split(" - ")[0].split(" — ")[0].strip(" :*_`")
        meaning = LABEL_MEANING.get(head) or LABEL_MEANING.get(_LABEL_HEAD.sub("", head))
    return meaning


def word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


def words_of(text: str) -> list[str]:
    """Lower-case words, without emoji, punctuation and markup."""
    return re.findall(r"[^\W_]+(?:[-'’][^\W_]+)*", _apart(text.lower()))
