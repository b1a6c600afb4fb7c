"""Addresses of reviews."""

from __future__ import annotations

from django.urls import include, path

from reviews import action_views, change_views, plan_views, upload_views, verification_views, views

urlpatterns = [
    path("", views.reviews, name="reviews"),
    path("fragment/", views.reviews_fragment, name="reviews_fragment"),
    path("new/", upload_views.new, name="review_new"),
    path("preview/", upload_views.preview, name="review_preview"),
    path("series/", upload_views.series, name="review_series"),
    path("councils/", include("reviews.council_urls")),
    path("<int:number>/", views.review, name="review"),
    path("<int:number>/fragment/", views.review_fragment, name="review_fragment"),
    path("<int:number>/findings/", views.findings_fragment, name="review_findings"),
    path("<int:number>/document/", views.document, name="review_document"),
    path("<int:number>/apply/", change_views.apply, name="review_apply"),
    path("<int:number>/revert/", change_views.revert, name="review_revert"),
    path("<int:number>/discard/", change_views.discard, name="review_discard"),
    path("<int:number>/read/", change_views.read_again, name="review_read_again"),
    path("<int:number>/rows/<int:row>/", change_views.leave_out, name="review_leave_out"),
    path("<int:number>/actions/<int:item>/tick/", action_views.tick, name="review_action_tick"),
    path("<int:number>/actions/<int:item>/owner/", action_views.own, name="review_action_owner"),
    path("<int:number>/checks/<int:item>/allow/", verification_views.allow, name="review_allow_command"),
    path("<int:number>/checks/<int:item>/run/", verification_views.verify, name="review_verify"),
    path("<int:number>/checks/run/", verification_views.verify_all, name="review_verify_all"),
    path("<int:number>/rows/<int:row>/dispose/", plan_views.dispose, name="review_dispose"),
    path("<int:number>/rows/<int:row>/choose/", plan_views.choose, name="review_choose"),
    path("<int:number>/rest/", plan_views.dispose_rest, name="review_dispose_rest"),
    path("<int:number>/tickets/", change_views.make_tickets, name="review_make_tickets"),
    path("<int:number>/findings/<int:finding>/answer/", change_views.answer, name="review_answer"),
]
