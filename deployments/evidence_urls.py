"""Addresses of evidence: the findings by where they stand, and the chain of each."""

from __future__ import annotations

from django.urls import path

from deployments import evidence_views

urlpatterns = [
    path("", evidence_views.evidence, name="evidence"),
    path("fragment/", evidence_views.evidence_fragment, name="evidence_fragment"),
    path("<int:number>/", evidence_views.chain, name="evidence_chain"),
    path("<int:number>/fragment/", evidence_views.chain_fragment, name="evidence_chain_fragment"),
    path("<int:number>/chain.txt", evidence_views.chain_text, name="evidence_chain_text"),
]
