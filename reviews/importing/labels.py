"""Labels of the parts of a finding in languages other than English, by meaning; `vocabulary` holds the English ones."""

from __future__ import annotations

LABELS_ABROAD: dict[str, str] = {
    "severity": "how bad|how serious|how severe|gravedad|gravità|severità|ernst|ernstniveau|niveau de gravité|"
    "niveau de risque|nivel de riesgo|"
    "nível de risco|livello di rischio|risiko|risikostufe|kritikalität|einstufung|allvarlighet|"
    "allvarlighetsgrad|risknivå|"
    "waga|ważność|poziom ryzyka|istotność|серйозність|критичність|уровень риска|рівень ризику|уровень|важность|"
    "важливість|"
    "重要度|深刻度|危険度|重大度|等级|级别|风险等级|嚴重程度|심각도|중요도|위험도|등급",
    "priority": "prioriteit|priorytet|пріоритет|priorità|優先度|优先度|우선순위",
    "status": "update|fix status|remediation status|developer response|team response|client response|stato|"
    "état|etat|stand|zustand|läge|stan|stav|стан|состояние|ステータス|対応状況|修复状态|狀態|상태|처리 상태|"
    "situação|situación",
    "files": "emplacement|localisation|ubicación|localización|localização|localizacao|onde|dónde|donde|où|wo|"
    "fundstelle|"
    "fundort|ort|stelle|betroffene datei|betroffene dateien|betroffen|posizione|dove|percorso|file interessati|"
    "bestand|bestanden|locatie|plaats|waar|plats|ställe|var|berörda filer|plik|pliki|lokalizacja|miejsce|gdzie|"
    "расположение|местоположение|место|где|путь|затронутые файлы|розташування|місце|де|шлях|"
    "代码位置|文件位置|所在位置|涉及文件|影响文件|路径|檔案|ファイル|場所|該当箇所|箇所|対象ファイル|対象|파일|"
    "위치|경로|"
    "github|github link|github links|relevant github links|links to affected code|lines of code|code snippet|"
    "code snippets|code reference|code references|affected lines|affected files/lines|in",
    "issue": "problème|constat|observation|descripción del problema|problema|problemi|descrizione|probleem|"
    "omschrijving|beschrijving|bevinding|feststellung|befund|brist|fynd|iakttagelse|opis|problem|ustalenie|"
    "проблема|ошибка|замечание|суть|детали|опис|деталі|现状|現象|现象|具体问题|問題|問題点|詳細|内容|説明|指摘|"
    "문제|문제점|설명|내용",
    "impact": "auswirkungen|folge|folgen|konsequenz|conséquence|conséquences|risque|consecuencia|consecuencias|riesgo|"
    "consequência|risco|impatto|conseguenza|rischio|gevolg|gevolgen|impact op|konsekvens|konsekvenser|följd|"
    "wpływ|skutek|skutki|последствия|риск|эффект|вплив|наслідки|ризик|风险|后果|影響|リスク|영향|위험",
    "cause": "grund|raison|razón|motivo|causa raíz|causa raiz|oorzaak|przyczyna|причины|почему|原因分析|理由|"
    "근본 원인|원인",
    "fix": "empfehlung|empfehlungen|vorschlag|behebung|maßnahme|maßnahmen|recommandations|correction|correctif|remède|"
    "solución|corrección|arreglo|solução|correção|recomendação|recomendações|sugestão|raccomandazione|"
    "soluzione|correzione|"
    "rimedio|aanbeveling|oplossing|advies|rekommendation|lösning|förslag|zalecenie|rekomendacja|rozwiązanie|naprawa|"
    "poprawka|рекомендации|исправление|как исправить|предложение|рішення|рекомендація|виправлення|"
    "建议修复|修复建议|修改建议|解决方案|修正案|対策|対応|対応案|推奨|推奨対応|修正方法|권장 사항|권장사항|"
    "권고|수정 방안|해결 방안|해결책|제안|조치",
    "evidence": "beleg|nachweis|beispiel|preuve|exemple|evidencia|ejemplo|evidência|exemplo|evidenza|prova|"
    "esempio|bewijs|"
    "voorbeeld|bevis|exempel|dowód|przykład|доказательство|пример|доказ|приклад|代码示例|示例|证据|例|根拠|"
    "예시|근거|증거",
    "effort": "aufwand|geschätzter aufwand|effort estimé|esfuerzo|esforço|sforzo|inspanning|insats|nakład|"
    "трудоёмкость|трудоемкость|оценка|зусилля|工作量|工数|작업량|공수",
}
