"""What is kept how long of the tables that libraries bring: sessions, sign-ins, addresses, the admin's own."""

from __future__ import annotations

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.sessions.models import Session
from django.db.models import Q

from portal.core import clock
from workers import retention
from workers.forgetting import before, oldest


def register() -> None:
    over = oldest(Session, lambda: Q(expire_date__lt=clock.now()), order="expire_date")
    retention.retain("sessions", over, tables=("sessions.Session",))
    for name, model, tables in (
        ("refused sign-ins", AccessAttempt, ("axes.AccessAttempt", "axes.AccessAttemptExpiration")),
        ("sign-ins", AccessLog, ("axes.AccessLog",)),
        ("failures", AccessFailureLog, ("axes.AccessFailureLog",)),
    ):
        old = oldest(model, lambda: Q(attempt_time__lt=before("LOGIN_KEEP_DAYS")))
        retention.retain(name, old, tables=tables, limit="LOGIN_KEEP_DAYS")
    retention.keep("A person's own, as long as the person is here.", "account.EmailAddress", "mfa.Authenticator")
    retention.keep("Nothing writes it: an address is confirmed by a signed link.", "account.EmailConfirmation")
    retention.keep("Nothing writes it: Activity is the history.", "admin.LogEntry")
    named = ("auth.Permission", "auth.Group", "auth.Group_permissions", "contenttypes.ContentType")
    retention.keep("Django's own, as many rows as there are models.", *named)
