"""Where what would lift a reason of a verdict is done: every reason leads somewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from deployments.models import Deployment


def url_of(reason: Mapping[str, Any], deployment: Deployment) -> str:
    """Its ticket, or the chain of its finding; of a fix that is elsewhere, another deployment; of checks, the work;
    of a council, the council, or the form that asks for one."""
    if reason["ticket"]:
        return reverse("ticket", args=[reason["ticket"]])
    if url := reason.get("url"):
        return str(url)
    if not reason["finding"]:
        return f"{reverse('tickets')}?{urlencode({'project': deployment.service.project.key})}"
    if reason["lift"].startswith("deploy "):
        asked = {"service": deployment.service_id, "environment": deployment.environment_id}
        return f"{reverse('deployment_new')}?{urlencode(asked)}"
    return reverse("evidence_chain", args=[reason["finding"]])
