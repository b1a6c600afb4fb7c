"""The words with which people name the parts of a review, in the languages reviews are written in.

A word with a star is a stem: any ending may follow. Chinese and Japanese write no spaces, and Korean endings cling to
the word, so words of those are looked for anywhere in a short heading.
"""

from __future__ import annotations

import re

# A heading of that many words is a sentence, and names no part of a review.
MAX_WORDS = 7
MAX_HAN = 14

_PROBLEMS = """
befund* beobachtung* fund funde feststellung* mangel mängel* schwachstelle* schwäche* fehler
probleme risiken auffälligkeit* beanstandung*
anmerkung* verbesserung* lücken sicherheitslücke* baustellen verstöße altlasten hinweise
faibles débiles fracos deboli schwachpunkt* zwakke svaga słabe
problème* constat constats constatation* anomalie* vulnérabilité* défaut* faille* faiblesse* risque* remarque*
amélioration* bogue* erreurs lacune* dysfonctionnement* dette alertes
problema problemas hallazgo* vulnerabilidad* defecto* debilidad* riesgo* errores observacion* mejora mejoras fallo
fallos incidencia* deuda brecha* deficiencia*
achado* defeito* fraqueza* risco* erros observaç* melhoria* falha falhas dívida lacuna* pendências
problemi riliev* vulnerabilità difett* debolezz* rischi errori osservazion* miglioramenti criticità debito carenz*
segnalazioni
probleem problemen bevinding* kwetsbaarhe* gebreken tekortkoming* risico* fouten opmerking* verbeterpunt*
verbetering* aandachtspunt*
problem fynd brist* sårbarhet* svaghet* risker anmärkning* iakttagelse* förbättring* skuld fel felen avvikelse*
problemy ustaleni* usterk* błęd* błąd podatnoś* luki wady słaboś* ryzyk* uwagi spostrzeżeni* znalezisk* ulepszeni*
dług zastrzeżeni* niedociągnięci* poprawki
проблем* ошибк* баг баги багов уязвимост* замечани* недостатк* находк* риск* дефект* недочёт* недочет* нарушени*
улучшени* долг слабые предупреждени* недоработк*
помилк* вразливост* зауваженн* недолік* знахідк* ризик* порушенн* покращенн* борг слабкі
问题 問題 缺陷 漏洞 风险 隐患 不足 发现 改进 技术债 错误 弱点 待修复 课题 課題 指摘 不具合 脆弱性 懸念 欠陥 改善 バグ
リスク 負債 検出 문제 이슈 결함 취약점 버그 위험 지적 발견 개선 오류 부채 우려
"""
_PARTS: dict[str, str] = {
    "praise": """stärken|positive\\w*|was gut \\w+|gut gelöst\\w*|lob|points forts|points positifs|bonnes pratiques|
ce qui (?:va|marche|fonctionne)\\w*|fortalezas|puntos fuertes|aspectos positivos|buenas prácticas|lo que funciona\\w*|
pontos (?:fortes|positivos)|boas práticas|punti di forza|aspetti positivi|sterke punten|wat goed \\w+|styrkor|
det som fungerar|bra saker|positivt|mocne strony|zalety|na plus|co działa\\w*|сильные стороны|плюсы|что хорошо\\w*|
положительн\\w+|достоинства|сильні сторони|переваги|що добре\\w*|позитивн\\w+|优点|亮点|做得好|正面|优势|已确认无问题|
良い点|良かった点|評価できる|強み|장점|강점|잘된""",
    "legend": """legende|schweregrade?|bewertungs\\w+|einstufung\\w*|légende|
(?:échelle|niveaux) de (?:gravité|sévérité)|
leyenda|(?:niveles|escala) de (?:severidad|gravedad|riesgo)|legenda|níveis de (?:severidade|gravidade)|
livelli di (?:gravità|severità)|ernst\\w*niveaus|teckenförklaring|allvarlighetsgrader|poziomy \\w+|skala \\w+|легенда|
(?:уровни|шкала) \\w+|рівні \\w+|图例|程度说明|等级说明|级别定义|级别说明|凡例|度の定義|定义|定義|범례|
심각도 기준|등급 기준""",
    "method": """methodik|methode|vorgehen\\w*|umfang|einleitung|geltungsbereich|geprüfte dateien|überblick|
hintergrund|
ausgangslage|méthodologie|méthode|périmètre|portée|contexte|présentation|metodología|alcance|introducción|contexto|
antecedentes|metodologia|escopo|introdução|ambito|introduzione|contesto|perimetro|inleiding|reikwijdte|aanpak|
werkwijze|metod|omfattning|inledning|bakgrund|metodyka|zakres\\w*|wstęp|wprowadzenie|методология|методика|область\\w*|
введение|охват|контекст|методологія|обсяг|вступ|审查范围|范围|简介|概述|背景|前言|审查维度|対象範囲|範囲|概要|
はじめに|
レビュー対象|범위|개요|배경|검토 대상""",
    "checklist": """checkliste|prüfliste|testplan|abnahmekriterien|liste de (?:contrôle|vérification)|plan de tests?|
critères d'acceptation|lista de (?:verificación|comprobación|verificação)|plan de pruebas|plano de testes|
lista di controllo|piano di test|controlelijst|checklista|lista kontrolna|plan testów|чек-?лист\\w*|
план тестирования|контрольний список|检查清单|检查表|测试计划|验收标准|チェックリスト|テスト計画|체크리스트|
테스트 계획""",
    "record": """geänderte dateien|änderungs\\w+|zeitachse|zeitleiste|zeitlicher ablauf|ablauf|verlauf|
fichiers modifiés|
journal\\w*|chronologie|historique|archivos modificados|registro de \\w+|cronología|historial|cambios \\w+|
(?:arquivos|ficheiros) (?:modificados|alterados)|histórico|linha do tempo|file modificati|cronologia|
gewijzigde bestanden|tijdlijn|ändrade filer|tidslinje|ändringslogg|zmienione pliki|historia zmian|oś czasu|przebieg|
изменённые файлы|измененные файлы|история изменений|хронология|змінені файли|історія змін|хронологія|修改的文件|
修改文件|
变更记录|时间线|更新日志|変更履歴|関連ファイル|相关文件|관련 파일|変更ファイル|タイムライン|변경 이력|
변경된 파일|타임라인""",
    "numbers": """kennzahlen|statistik\\w*|métriques|statistiques|métricas|estadísticas|estatísticas|metriche|
statistiche|
statistieken|cijfers|statystyki|метрики|статистика|统计|指标|統計|통계""",
    "examples": """fehlerbehebung|
problembehandlung|dépannage|solución de problemas|solução de problemas|probleemoplossing|
risoluzione dei problemi|felsökning|rozwiązywanie problemów|устранение неполадок|решение проблем|усунення несправностей|
故障排除|故障排查|常见问题|トラブルシューティング|문제 해결|beispiele|codebeispiele|exemples?(?: de code)?|
ejemplos?(?: de código)?|exemplos?(?: de código)?|esempi|
voorbeelden|exempel|przykłady|примеры(?: кода)?|приклади|代码示例|示例代码|コード例|예시 코드""",
    "questions": """offene fragen|rückfragen|questions ouvertes|preguntas\\w*|perguntas\\w*|domande\\w*|
(?:open\\w* )?vragen|
öppna frågor|pytania\\w*|(?:открытые )?вопросы\\w*|(?:відкриті )?питання\\w*|疑问|質問|질문""",
    "recap": """zusammenfassung|fazit|gesamt\\w+|ergebnis|résumé\\w*|synthèse|bilan|conclusion|resumen\\w*|
conclusi\\w+|
veredicto|resumo\\w*|conclusão|veredito|sintesi|riepilogo|sommario|samenvatting|conclusie|oordeel|sammanfattning|
slutsats\\w*|slutord|podsumowanie|wnioski|streszczenie|резюме|итог\\w*|вывод\\w*|заключение|сводка|підсумо\\w+|
висновк\\w+|总结|結論|结论|摘要|汇总|小结|まとめ|総評|要約|サマリー|요약|결론|총평""",
    "plan": """maßnahmen\\w*|nächste schritte|empfehlung\\w*|fahrplan|plan|road ?map|prochaines étapes|
recommandations?|
feuille de route|plan de acción|próximos pasos|recomendaciones|hoja de ruta|plano de ação|próximos passos|
recomendações|piano d'azione|prossimi passi|raccomandazioni|actieplan|volgende stappen|aanbevelingen|actiepunten|
\\S*reihenfolge|åtgärdsplan|nästa steg|rekommendationer|åtgärder|plan (?:działań|naprawczy)|
(?:następne|kolejne) kroki|zalecenia|
rekomendacje|план|следующие шаги|рекомендации|дорожная карта|приоритеты|план дій|
наступні кроки|рекомендації|行动计划|后续步骤|下一步|修复计划|路线图|改进计划|优先级|アクションプラン|
次のステップ|推奨事項|
対応方針|조치 계획|다음 단계|권장 사항|권고""",
}
_NO_SPACES = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


# German, Dutch and Swedish write `Sicherheitsmängel` in one word.
_COMPOUND = (
    r"(?:probleme?n?|mängel|fehler|schwächen|lücken|befunde|risiken|beobachtungen|verstöße|bevindingen|fouten|brister|"
    r"fynd)"
)


def _of_words(listed: str) -> re.Pattern[str]:
    clinging: list[str] = []
    spaced: list[str] = []
    for word in listed.split():
        (clinging if _NO_SPACES.search(word) else spaced).append(re.escape(word).replace(r"\*", r"\w*"))
    words, joined = "|".join(spaced), "|".join(clinging)
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)|(?<!\w)\w{{3,30}}-?{_COMPOUND}(?!\w)|{joined}", re.IGNORECASE)


def _of_phrases(listed: str) -> re.Pattern[str]:
    phrases = listed.replace("\n", "").split("|")
    clinging = [phrase for phrase in phrases if _NO_SPACES.search(phrase)]
    spaced = [phrase for phrase in phrases if not _NO_SPACES.search(phrase)]
    return re.compile(
        rf"^(?:die |der |das |les |las |los |il |le |la |os |as )?(?:{'|'.join(spaced)})(?:\s[^\s,;:]+){{0,3}}$"
        + (rf"|^.{{0,8}}(?:{'|'.join(clinging)}).{{0,4}}$" if clinging else ""),
        re.IGNORECASE,
    )


_PROBLEM = _of_words(_PROBLEMS)
_PATTERNS = {part: _of_phrases(phrases) for part, phrases in _PARTS.items()}


def clings(text: str) -> bool:
    """The text is in a script that sets no space between words."""
    return bool(_NO_SPACES.search(text))


def problems_named(heading: str) -> bool:
    """A heading in a language other than English names problems."""
    return _short(heading) and bool(_PROBLEM.search(heading))


def part_named(heading: str) -> str | None:
    """Which part of a review a heading in a language other than English names."""
    if not _short(heading):
        return None
    return next((part for part, pattern in _PATTERNS.items() if pattern.match(heading)), None)


def _short(heading: str) -> bool:
    return len(heading) <= MAX_HAN if clings(heading) else len(heading.split()) <= MAX_WORDS
