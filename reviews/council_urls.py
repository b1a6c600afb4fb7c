"""Addresses of councils."""

from __future__ import annotations

from django.urls import path

from reviews import council_views as views

urlpatterns = [
    path("", views.councils, name="councils"),
    path("fragment/", views.councils_fragment, name="councils_fragment"),
    path("new/", views.new, name="council_new"),
    path("<int:number>/", views.council, name="council"),
    path("<int:number>/fragment/", views.council_fragment, name="council_fragment"),
    path("<int:number>/review/", views.hand_in, name="council_hand_in"),
    path("<int:number>/vote/", views.vote, name="council_vote"),
    path("<int:number>/close/", views.close, name="council_close"),
    path("<int:number>/void/", views.void, name="council_void"),
    path("<int:number>/members/<int:member>/again/", views.ask_again, name="council_ask_again"),
    path("<int:number>/members/<int:member>/import/", views.take_in, name="council_take_in"),
]
