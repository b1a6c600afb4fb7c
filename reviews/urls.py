"""Addresses of reviews."""

from __future__ import annotations

from django.urls import path

from reviews import views

urlpatterns = [
    path("", views.reviews, name="reviews"),
    path("fragment/", views.reviews_fragment, name="reviews_fragment"),
    path("new/", views.new, name="review_new"),
    path("<int:number>/", views.review, name="review"),
    path("<int:number>/fragment/", views.review_fragment, name="review_fragment"),
    path("<int:number>/findings/", views.findings_fragment, name="review_findings"),
    path("<int:number>/document/", views.document, name="review_document"),
    path("<int:number>/apply/", views.apply, name="review_apply"),
    path("<int:number>/read/", views.read_again, name="review_read_again"),
    path("<int:number>/tickets/", views.make_tickets, name="review_make_tickets"),
    path("<int:number>/findings/<int:finding>/answer/", views.answer, name="review_answer"),
]
