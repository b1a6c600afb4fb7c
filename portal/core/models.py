"""People, history, secrets, tokens, and what the migrate step recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now

from portal.core.storable import is_storable, storable

if TYPE_CHECKING:
    from portal.core.unit import Record


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db, force_insert=True)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person, known by e-mail address. Admins administer this installation."""

    class Theme(models.TextChoices):
        SYSTEM = "system", "As the system"
        LIGHT = "light", "Light"
        DARK = "dark", "Dark"

    email = models.EmailField("e-mail address", unique=True)
    name = models.CharField(max_length=100, blank=True)
    is_staff = models.BooleanField("may open the admin", default=False)
    is_active = models.BooleanField("active", default=True)
    theme = models.CharField(max_length=10, choices=Theme, default=Theme.SYSTEM)
    date_joined = models.DateTimeField(db_default=Now(), editable=False)

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(Lower("email"), name="core_user_email_any_case")]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def initials(self) -> str:
        words = [word for word in self.name.replace("@", " ").split() if word] or [self.email]
        return "".join(word[0] for word in words[:2]).upper()


class Activity(models.Model):
    """The durable history: who, what, before, after, why, from where. Append-only, by trigger."""

    at = models.DateTimeField(db_default=Now(), editable=False)
    actor_kind = models.CharField(max_length=10, editable=False)
    actor_id = models.CharField(max_length=64, blank=True, editable=False)
    actor_label = models.CharField(max_length=200, editable=False)
    verb = models.CharField(max_length=60, editable=False)
    subject = models.CharField(max_length=120, editable=False)
    before = models.JSONField(default=dict, editable=False)
    after = models.JSONField(default=dict, editable=False)
    reason = models.TextField(blank=True, editable=False)
    request_id = models.CharField(max_length=40, editable=False)
    because = models.CharField(max_length=120, blank=True, editable=False)
    origin = models.CharField(max_length=100, blank=True, editable=False)
    # whose history it is; empty where it is the installation's, null where it was written before this was kept
    scope = models.CharField(max_length=80, blank=True, null=True, editable=False)  # noqa: DJ001

    class Meta:
        verbose_name_plural = "activity"
        indexes: ClassVar = [
            models.Index(fields=["scope", "-id"], name="core_activity_scope"),
            models.Index(fields=["subject", "-id"], name="core_activity_subject"),
            models.Index(fields=["request_id"], name="core_activity_request"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_label} {self.verb} {self.subject}"

    # what the unit of work writes, in the order of ``columns``
    WRITTEN: ClassVar[tuple[str, ...]] = (
        "actor_kind",
        "actor_id",
        "actor_label",
        "verb",
        "subject",
        "before",
        "after",
        "reason",
        "request_id",
        "because",
        "origin",
        "scope",
    )

    @staticmethod
    def columns(record: Record) -> tuple[Any, ...]:
        """A record as it is stored: of ten thousand rows of an import none needs to be an object."""
        cause = record.cause
        return (
            cause.actor.kind,
            cause.actor.id,
            cause.actor.label[:200],
            record.verb,
            record.subject,
            _storable(record.before),
            _storable(record.after),
            storable(record.reason),
            cause.request_id,
            cause.because[:120],
            cause.origin[:100],
            record.scope,
        )


def _storable(value: Any) -> Any:
    """``value`` without what a database refuses in a text: history must not fail over the words of a child process."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        try:
            # Most are a few texts, looked at as one.
            if is_storable("".join([*value, *value.values()])):
                return value
        except TypeError:
            pass
        return {_storable(key): _storable(item) for key, item in value.items()}
    return [_storable(item) for item in value] if isinstance(value, list) else value


class Notification(models.Model):
    """Something that one person is told, until they have read it. The newest are kept, the rest is in the history."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications", editable=False
    )
    verb = models.CharField(max_length=60, editable=False)
    subject = models.CharField(max_length=120, editable=False)
    # what its reader must see; empty where they always may
    scope = models.CharField(max_length=80, blank=True, editable=False)
    title = models.CharField(max_length=200, editable=False)
    url = models.CharField(max_length=300, editable=False)
    at = models.DateTimeField(db_default=Now(), editable=False)
    read_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "subject", "verb"],
                condition=Q(read_at__isnull=True),
                name="core_notification_unread_once",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["user", "-at", "-id"], name="core_notification_newest")]

    def __str__(self) -> str:
        return self.title


class Secret(models.Model):
    """A named secret; the value is sealed and never shown again."""

    name = models.SlugField(max_length=80, unique=True)
    sealed = models.TextField(editable=False)
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.name


class ApiToken(models.Model):
    """A scoped token of a person: shown once, stored as prefix and SHA-256."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    may_write = models.BooleanField(default=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class Idempotency(models.Model):
    """What a person asked for under a key of theirs, and what was answered; written with its effect, or not at all."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="idempotency_keys", editable=False
    )
    key = models.CharField(max_length=64, editable=False)
    operation = models.CharField(max_length=80, editable=False)
    # SHA-256 of the address and the body
    digest = models.CharField(max_length=64, editable=False)
    # of what it was done to, whose rule holds for the answer too
    scope = models.CharField(max_length=80, blank=True, editable=False)
    # 0, and no answer, for nobody but the transaction that writes it
    status = models.PositiveSmallIntegerField(default=0, editable=False)
    # as it was sent; null where it was larger than is kept
    answer = models.BinaryField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "idempotency key"
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "key"], name="core_idempotency_once")]

    def __str__(self) -> str:
        return self.key


class AppliedMigration(models.Model):
    """What the migrate step knew of each migration that it applied.

    Code that does not know a migration reads here whether it may run beside it.
    """

    class Kind(models.TextChoices):
        EXPAND = "expand", "Expand: older code may run"
        CONTRACT = "contract", "Contract: older code must not run"

    app = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=10, choices=Kind)
    applied_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["app", "name"], name="core_applied_migration_once"),
            models.CheckConstraint(condition=Q(kind__in=["expand", "contract"]), name="core_applied_migration_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.app}.{self.name}"


class Rehearsal(models.Model):
    """One rehearsal of the migrations, on a copy of the database with its rows. Written once, never changed."""

    class Result(models.TextChoices):
        PASSED = "passed", "Passed"
        FAILED = "failed", "Failed"

    at = models.DateTimeField(db_default=Now(), editable=False)
    # of the code that rehearsed; the commit is empty where it runs without its repository
    version = models.CharField(max_length=40, editable=False)
    commit = models.CharField(max_length=40, blank=True, editable=False)
    # of the structure to which this code's migrations lead
    fingerprint = models.CharField(max_length=16, editable=False)
    engine = models.CharField(max_length=20, editable=False)
    # by app, the last migration that the original had, and the last one of this code
    from_heads = models.JSONField(default=dict, editable=False)
    to_heads = models.JSONField(default=dict, editable=False)
    # the migrations that went back and forward again
    steps = models.JSONField(default=list, editable=False)
    result = models.CharField(max_length=10, choices=Result, editable=False)
    # what was not right; empty where it passed
    faults = models.JSONField(default=list, editable=False)
    # what a direction takes away: way, table, column, rows
    losses = models.JSONField(default=list, editable=False)
    tables = models.PositiveIntegerField(editable=False)
    rows = models.PositiveBigIntegerField(editable=False)
    size_bytes = models.PositiveBigIntegerField(editable=False)
    seconds = models.FloatField(editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(result__in=["failed", "passed"]), name="core_rehearsal_result")
        ]

    def __str__(self) -> str:
        return f"rehearsal {self.pk}"


class WebProcess(models.Model):
    """A web process, as it last said of itself; its row goes with it. Workers have rows of their own."""

    name = models.CharField(max_length=120, unique=True, editable=False)
    host = models.CharField(max_length=80, editable=False)
    pid = models.PositiveIntegerField(editable=False)
    # of the code that it runs, and of the schema that this code was written for
    version = models.CharField(max_length=40, editable=False)
    schema = models.CharField(max_length=16, editable=False)
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    seen_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name_plural = "web processes"

    def __str__(self) -> str:
        return self.name
