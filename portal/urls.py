"""Every address."""

from __future__ import annotations

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

# The admin's own login knows no second step; this sends people to the one login.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("portal.site.accounts")),
    path("", include("portal.site.urls")),
]

handler400 = "portal.site.errors.bad_request"
handler403 = "portal.site.errors.forbidden"
handler404 = "portal.site.errors.not_found"
handler500 = "portal.site.errors.server_error"
