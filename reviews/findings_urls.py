"""Addresses of findings."""

from __future__ import annotations

from django.urls import path

from reviews import findings_views

urlpatterns = [
    path("", findings_views.findings, name="findings"),
    path("fragment/", findings_views.findings_fragment, name="findings_fragment"),
    path("export.csv", findings_views.export, name="findings_export"),
    path("tickets/", findings_views.make_tickets, name="findings_make_tickets"),
]
