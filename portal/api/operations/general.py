"""Who one is, and what there is."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from portal.api.doors import api, operation
from portal.core import access
from portal.core.access import SIGNED_IN


@operation("get", "/me", "api.me", SIGNED_IN)
def me(request: HttpRequest) -> dict[str, Any]:
    user = request.user
    return {"email": user.email, "roles": {scope: role.label for scope, role in access.roles(user).items()}}  # type: ignore[union-attr]


@operation("get", "/openapi.json", "api.openapi", SIGNED_IN, include_in_schema=False)
def openapi(request: HttpRequest) -> dict[str, Any]:
    """What this API can do, in OpenAPI's words."""
    return dict(api.get_openapi_schema())
