"""The words with which people say that something is wrong, in the languages reviews are written in.

They never make a finding of a text alone: several items of one list that speak so are evidence that it lists findings.
"""

from __future__ import annotations

import re

MAX_TEXT = 600

# A star stands for any ending. Words of scripts without spaces are looked for anywhere.
_WORDS = """
not no never nobody nothing none cannot without missing lacks lack lacking unused unsafe insecure invalid incorrect*
wrong* broken breaks break fail fails failed failing failure* crash* leak leaks leaked leaking stale dead duplicat*
hardcoded hard-coded inconsistent* unclear confusing misleading ambiguous outdated obsolete deprecated vulnerable
unhandled uncaught unchecked unvalidated unbounded unlimited unprotected unencrypted untested undocumented unreachable
race deadlock* overflow* injection exposed exposes ignored ignores swallow* hangs hang slow slowly redundant unnecessar*
too only still instead should must could needs nothing empty forget* forgot forgets typo typos misspelled mismatch* lost
loses lose silently bypass* blocks blocking twice again always anybody anyone everybody everyone bug bugs error errors
loss problem problems issue* weak unmaintained behind crypt* wasteful flaky brittle fragile hidden invisible
nicht kein* nie niemals niemand ohne fehlt fehlen fehlend* falsch* kaputt defekt* ungültig* unsicher* veraltet* doppelt*
unnötig* leer verliert verloren langsam zu statt sollte müsste muss immer jeder noch unklar* inkonsistent* ungeprüft*
pas jamais sans aucun aucune manque manquant* cassé* invalide* incorrect* erron* oubli* doublon* inutile* obsolète* trop
plante fuite échoue devrait doit toujours lent* au-lieu seulement n'est n'a ne
nunca sin falta faltan ningún ninguna nadie nada roto* inválid* incorrect* duplicad* obsolet* demasiado debería debe
pierde falla fallan lent* siempre solo
não nunca sem falta faltam nenhum* ninguém quebrad* inválid* incorret* duplicad* obsolet* demais deveria deve perde
falha falham lent* sempre apenas ainda
non mai senza manca mancano nessun* rott* errat* scorrett* duplicat* obsolet* troppo dovrebbe deve perde fallisce
niet geen nooit zonder ontbreekt ontbreken niemand kapot ongeldig* onjuist* verouderd* dubbel* onnodig* te moet zou
inte ej aldrig utan saknar saknas ingen inget inga trasig* felaktig* ogiltig* föråldrad* onödig* borde måste för alltid
nie bez brak brakuje nigdy nikt błędn* nieprawidłow* zduplikowan* przestarzał* zbędn* zbyt powinien powinna trzeba
не нет без нельзя никогда никто ничего отсутству* неверн* неправильн* сломан* дублир* устаревш* лишн* слишком
нужно должен
должна должно теряет* падает утечк* ломает*
немає без ніколи відсутн* невірн* неправильн* зламан* дублю* застаріл* зайв* занадто треба повинен повинна
"""
_EAST = (
    "不|没|無|无|未|缺|错|漏|误|过时|过大|重复|硬编码|应该|需要|建议|尽量|改为|改成|删掉|删除|更换|替换|可以使用|"
    "ない|なし|不足|漏れ|誤|べき|必要|없|않|누락|잘못|안 |못|필요"
)
_SPACED = "|".join(re.escape(word).replace(r"\*", r"\w*") for word in dict.fromkeys(_WORDS.split()))
_WRONG = re.compile(rf"(?<![\w-])(?:{_SPACED})(?![\w-])|n['’]t\b|{_EAST}", re.IGNORECASE)


def complains(text: str) -> bool:
    """Something in the text says that a thing is wrong, absent, or should be otherwise."""
    return bool(_WRONG.search(text[:MAX_TEXT]))


_REVIEWS = """
review* code-review pull-request patch diff audit* inspection assessment findings
überprüfung prüfung prüfbericht durchsicht begutachtung befunde mängel* anmerkungen gutachten
revue relecture examen inspection constats anomalies remarques vérification
revisión auditoría auditoria inspección hallazgos revisado observaciones
revisão inspeção achados revisione ispezione verifica osservazioni rilievi
beoordeling controle bevindingen opmerkingen nazicht granskning genomgång anmärkningar fynd brister
przegląd* audyt* uwagi ustalenia ревью обзор аудит* проверк* замечани* рев'ю огляд перевірк* зауваженн*
"""
_REVIEWS_EAST = "审查|審查|走读|评审|审计|审核|检查|走查|レビュー|監査|指摘|点検|리뷰|감사|검토|점검"
_REVIEWS_SPACED = "|".join(re.escape(word).replace(r"\*", r"\w*") for word in dict.fromkeys(_REVIEWS.split()))
_OF_REVIEW = re.compile(rf"(?<!\w)(?:{_REVIEWS_SPACED})(?!\w)|{_REVIEWS_EAST}", re.IGNORECASE)


_OF_BUGS = re.compile(
    r"\b(?:bugs?|issues|defects|problems|errors|comments|feedback|remarks|technical debt|fehler\w*|probleme|"
    r"bogues|anomalies|"
    r"errores|fallos|erros|falhas|errori|fouten|fel|buggar|błęd\w+|ошибк\w*|баг\w*|помилк\w*)\b|问题|問題|缺陷|バグ|문제|버그",
    re.IGNORECASE,
)


def of_review(text: str) -> bool:
    """The text calls itself, or what it is about, a review or an audit."""
    return bool(_OF_REVIEW.search(text[:MAX_TEXT]))


def of_bugs(title: str) -> bool:
    """A title that names bugs, issues, errors."""
    return bool(_OF_BUGS.search(title[:MAX_TEXT]))


_FINE = re.compile(
    r"^(?:ok(?:ay)?|fine|good|lgtm|all good|looks good|nothing (?:to|wrong)[^.]{0,30}|no (?:issues?|problems?|"
    r"findings?)|in ordnung|"
    r"passt|gut|d'accord|bien|bon|rien à (?:dire|signaler)|correcto|está bien|todo bien|certo|tudo bem|"
    r"va bene|tutto bene|"
    r"prima|goed|bra|dobrze|w porządku|нормально|хорошо|ок|все хорошо|всё хорошо|добре|"
    r"没问题|可以|良好|問題なし|問題ない|문제 ?없음|좋음)"
    r"(?:\W.{0,24})?$",
    re.IGNORECASE,
)


def says_fine(text: str) -> bool:
    """`OK.`, `fine for now`: a short answer that nothing is wrong."""
    return bool(_FINE.match(text.strip(" *_`.!")))


_DENIES = re.compile(
    r"(?<!\w)(?:no|not any|without|zero|keine?|ohne|aucune?s?|pas d['e’]\s?|sans|ning[uú]n[oa]?s?|sin|"
    r"nenhuma?s?|sem|nessun[oa]?|"
    r"senza|geen|inga|inget|ingen|brak|bez|нет|без|не обнаружено|не найдено|"
    r"немає)\s?(?:\w+\s){0,2}?(?:issues?|problems?|findings?|"
    r"errors?|regressions?|vulnerabilit(?:y|ies)|bugs?|defects?|fehler\w*|probleme?|mängel|befunde|"
    r"schwachstellen|problèmes?|"
    r"failles?|régressions?|erreurs?|anomalies?|problemas?|hallazgos?|fallos?|regresion\w*|vulnerabilidades?|"
    r"erros?|falhas?|"
    r"regress\w+|problemi|errori|vulnerabilità|problemen|fouten|bevindingen|fel|brister|problemów|błędów|uwag|"
    r"проблем\w*|"
    r"ошибок|замечаний|уязвимостей|помилок)(?:\s(?:found|identified|detected|seen|gefunden|festgestellt|"
    r"trouvée?s?|détectée?s?|"
    r"relevée?s?|encontrad\w+|detectad\w+|trovat\w+|gevonden|hittade|znaleziono|found here|at all|here|"
    r"remain\w*))?\s*(?:[.!;,)(]|$)"
    r"|(?:没有|无|未发现|未見)(?:\w{0,4})(?:问题|缺陷|漏洞|错误)|問題(?:は)?(?:なし|ありません)|문제 ?없",
    re.IGNORECASE,
)


def denies(text: str) -> bool:
    """`no regressions`, `keine Fehler gefunden`: the text says that a thing looked for was not there."""
    return bool(_DENIES.search(text[:MAX_TEXT]))
