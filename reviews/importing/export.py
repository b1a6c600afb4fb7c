"""A parsed review as JSON, in the schema of the annotated corpus."""

from __future__ import annotations

from typing import Any

from reviews.importing.model import ParsedFinding, ParsedReview


def to_json(parsed: ParsedReview, document_id: str) -> dict[str, Any]:
    return {
        "id": document_id,
        "title": parsed.title,
        "sha256": parsed.sha256,
        "form": parsed.form,
        "tool": parsed.tool,
        "metadata": {
            "date": parsed.metadata.date,
            "reviewer": parsed.metadata.reviewer,
            "ticket": parsed.metadata.ticket,
            "base_commit": parsed.metadata.base_commit,
            "version": parsed.metadata.version,
        },
        "findings": [_finding(number, finding) for number, finding in enumerate(parsed.findings, 1)],
        "stated_totals": dict(parsed.stated_totals) or None,
        "found_totals": dict(parsed.found_totals),
        "disagreements": list(parsed.disagreements),
        "verdict": parsed.verdict,
        "signal": _signal(parsed),
        "fix_order": [
            {"label": tier.label, "line": tier.line, "refs": list(tier.refs), "items": list(tier.items)}
            for tier in parsed.fix_order
        ],
        "cross_references": [
            {"source": cross.source, "target": cross.target, "line": cross.line} for cross in parsed.cross_references
        ],
        **_beside(parsed),
        "not_findings": [piece.text for piece in parsed.left_out],
        "left_out": [
            {"lines": [piece.line_start, piece.line_end], "text": piece.text, "reason": piece.reason}
            for piece in parsed.left_out
        ],
        "notes": [note.text for note in parsed.notes],
    }


def _beside(parsed: ParsedReview) -> dict[str, Any]:
    return {
        "checks": [
            {"name": check.name, "outcome": check.outcome, "detail": check.detail, "line": check.line}
            for check in parsed.checks
        ],
        "action_items": [
            {"text": item.text, "done": item.done, "line": item.line, "section": item.section}
            for item in parsed.action_items
        ],
        "files_modified": [
            {"path": file.path, "note": file.note, "line": file.line, "refs": list(file.refs)}
            for file in parsed.files_modified
        ],
        "test_plans": [
            {"text": plan.text, "lines": [plan.line_start, plan.line_end], "ref": plan.ref}
            for plan in parsed.test_plans
        ],
        "evidence": [
            {
                "text": stated.text,
                "line": stated.line,
                "commits": list(stated.commits),
                "tests": list(stated.tests) if stated.tests is not None else None,
            }
            for stated in parsed.evidence
        ],
        "earlier": [
            {
                "version": before.version,
                "text": before.text,
                "line": before.line,
                "refs": [{"ref": ref, "status": status} for ref, status in before.refs],
                "all_verified": before.all_verified,
            }
            for before in parsed.earlier
        ],
    }


def _finding(number: int, finding: ParsedFinding) -> dict[str, Any]:
    return {
        "n": number,
        "ref": finding.ref,
        "title": finding.title,
        "severity": finding.severity,
        "severity_as_written": finding.severity_as_written,
        "category": finding.category,
        "files": list(finding.files),
        "status": finding.status,
        "status_reason": finding.status_reason,
        "line": finding.line_start,
        "line_end": finding.line_end,
        "ticket_key": finding.ticket_key,
        "references": list(finding.references),
        "rule": finding.rule,
        "fingerprints": [{"algorithm": algorithm, "value": value} for algorithm, value in finding.fingerprints],
        "fields": [{"label": label, "value": value} for label, value in finding.fields],
        "body": finding.body,
        "reason": finding.reason,
        "confidence": finding.confidence,
    }


def _signal(parsed: ParsedReview) -> dict[str, Any] | None:
    if parsed.signal is None:
        return None
    signal = parsed.signal
    return {
        "name": signal.name,
        "line": signal.line,
        "ticket": signal.ticket,
        "nonce": signal.nonce,
        "payload": signal.payload,
    }
