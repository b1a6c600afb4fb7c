"""The operations of the API by subject: parse, one call inward, answer."""

from portal.api.doors import api
from portal.api.operations import (
    attachments,
    conversations,
    deployments,
    evidence,
    findings,
    general,
    notifications,
    places,
    projects,
    questions,
    releases,
    reviews,
    steering,
    tickets,
)

__all__ = [
    "api",
    "attachments",
    "conversations",
    "deployments",
    "evidence",
    "findings",
    "general",
    "notifications",
    "places",
    "projects",
    "questions",
    "releases",
    "reviews",
    "steering",
    "tickets",
]
