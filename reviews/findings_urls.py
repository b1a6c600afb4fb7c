"""Addresses of findings."""

from __future__ import annotations

from django.urls import path

from reviews import all_findings_views, decision_views, export_views, filter_views, findings_views, trend_views

urlpatterns = [
    path("", findings_views.findings, name="findings"),
    path("fragment/", findings_views.findings_fragment, name="findings_fragment"),
    path("tickets/", findings_views.make_tickets, name="findings_make_tickets"),
    path("answers/", findings_views.answer, name="findings_answer"),
    path("all/", all_findings_views.every, name="findings_all"),
    path("all/tickets/", all_findings_views.make_tickets, name="findings_all_tickets"),
    path("all/answers/", all_findings_views.answer, name="findings_all_answers"),
    path("filters/", filter_views.save, name="findings_save_filter"),
    path("filters/<int:saved>/", filter_views.change, name="findings_change_filter"),
    path("decisions/", decision_views.listed, name="finding_decisions"),
    path("decisions/fragment/", decision_views.fragment, name="finding_decisions_fragment"),
    path("decisions/<int:number>/give/", decision_views.give, name="finding_decision_give"),
    path("decisions/<int:number>/refuse/", decision_views.refuse, name="finding_decision_refuse"),
    path("decisions/<int:number>/end/", decision_views.end, name="finding_decision_end"),
    path("trends/", trend_views.of_findings, name="findings_trends"),
    path("export.csv", export_views.export, {"form": "csv"}, name="findings_export_csv"),
    path("export.json", export_views.export, {"form": "json"}, name="findings_export_json"),
    path("export.sarif", export_views.export, {"form": "sarif"}, name="findings_export_sarif"),
    path("export.md", export_views.export, {"form": "markdown"}, name="findings_export_markdown"),
]
