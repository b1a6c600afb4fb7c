"""Every address."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from portal.api.operations import api

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("portal.site.accounts")),
    path("api/v1/", api.urls),
    path("deployments/", include("deployments.urls")),
    path("evidence/", include("deployments.evidence_urls")),
    path("reviews/", include("reviews.urls")),
    path("findings/", include("reviews.findings_urls")),
    path("", include("tickets.urls")),
    path("", include("portal.site.urls")),
]

handler400 = "portal.site.errors.bad_request"
handler403 = "portal.site.errors.forbidden"
handler404 = "portal.site.errors.not_found"
handler500 = "portal.site.errors.server_error"
