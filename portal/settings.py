"""The one settings module.

Everything that an installation may set is read here, typed, from the
environment, and checked before anything starts: a bad value stops the process
with one line that names the variable, and exit code 2.
"""

from __future__ import annotations

import os
import re
import socket
import sys
from datetime import datetime
from email.utils import parseaddr
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

from portal.core import limits
from portal.core.keys import KeyRefused, installation_key
from portal.core.variables import address, flag, hosts, number, refuse, text

BASE_DIR = Path(__file__).resolve().parent.parent

# What runs where -----------------------------------------------------------

DEBUG = flag("DEBUG")
HOST = text("HOST", "127.0.0.1")
PORT = number("PORT", 8000, 1, 65535)
DATA_DIR = Path(text("DATA_DIR", str(BASE_DIR / "data"))).expanduser().absolute()
TURN_WORKERS = number("TURN_WORKERS", 1, 0, 64)
STEP_WORKERS = number("STEP_WORKERS", 1, 0, 64)
SHORT_WORKERS = number("SHORT_WORKERS", 1, 0, 64)
# Whether `up` loads the demo, and where its service is looked at.
DEMO = flag("DEMO")
DEMO_STAGING_PORT = number("DEMO_STAGING_PORT", 8091, 1, 65535)
DEMO_PRODUCTION_PORT = number("DEMO_PRODUCTION_PORT", 8090, 1, 65535)
# The machine's name in jobs that only its own workers may take: it must outlive a process, and a container.
WORKER_HOST = text("WORKER_HOST", socket.gethostname())[:80]
if not WORKER_HOST.isprintable() or " " in WORKER_HOST:
    refuse("WORKER_HOST", f"{WORKER_HOST!r} is no name of a machine: letters, digits, dots and dashes.")
DATABASE_POOL_SIZE = number("DATABASE_POOL_SIZE", 0, 0, 100)
LOG_LEVEL = text("LOG_LEVEL", "INFO").upper()
if LOG_LEVEL not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
    refuse("LOG_LEVEL", f"{LOG_LEVEL!r} is none of DEBUG, INFO, WARNING, ERROR.")

LIMITS = {limit.name: number(limit.name, limit.default, limit.low, limit.high) for limit in limits.ALL}
if LIMITS["HEARTBEAT_SECONDS"] * 3 > LIMITS["LEASE_SECONDS"]:
    refuse("HEARTBEAT_SECONDS", f"{LIMITS['HEARTBEAT_SECONDS']} x 3 is more than LEASE_SECONDS.")
if LIMITS["LEASE_MARGIN_SECONDS"] * 3 > LIMITS["LEASE_SECONDS"]:
    refuse("LEASE_MARGIN_SECONDS", f"{LIMITS['LEASE_MARGIN_SECONDS']} x 3 is more than LEASE_SECONDS.")

# Unix sockets take 107 bytes on Linux and 103 on macOS; the embedded store's lies in DATA_DIR/run.
SOCKET_PATH_MAX_BYTES = 103
REDIS_SOCKET = DATA_DIR / "run" / "valkey.sock"
try:
    DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(DATA_DIR, os.W_OK | os.X_OK):
        raise PermissionError(13, "Permission denied")
except OSError as problem:
    refuse("DATA_DIR", f"{DATA_DIR} cannot be written ({problem.strerror}).")

BASE_URL = text("BASE_URL", f"http://{'localhost' if HOST in {'0.0.0.0', '127.0.0.1', '::'} else HOST}:{PORT}")
_base = address("BASE_URL", BASE_URL, "https://host[:port]", {"http", "https"})
if not _base.hostname or _base.path.strip("/") or _base.username:
    refuse("BASE_URL", "is not of the form https://host[:port].")
SECURE = _base.scheme == "https"
if DEBUG and HOST not in {"127.0.0.1", "::1", "localhost"}:
    refuse("DEBUG", f"DEBUG=1 with HOST={HOST} would show internals to the network.")
_own_hosts = sorted({_base.hostname, "localhost", "127.0.0.1"})
ALLOWED_HOSTS = [host for host in text("ALLOWED_HOSTS").split(",") if host] or _own_hosts
if "*" in ALLOWED_HOSTS:
    refuse("ALLOWED_HOSTS", "'*' would accept any Host header; name the hosts.")
# The exact origins (scheme, host, port) that may open a socket or post a form.
_local = () if SECURE else ("localhost", "127.0.0.1")
_own_origins = {BASE_URL.rstrip("/"), *(f"{_base.scheme}://{host}:{_base.port or PORT}" for host in _local)}
ORIGINS = [origin.rstrip("/") for origin in text("ORIGINS").split(",") if origin] or sorted(_own_origins)
for _origin in ORIGINS:
    # They stand in a header: nothing but an origin may.
    if not re.fullmatch(r"https?://[A-Za-z0-9.\[\]:-]+", _origin):
        refuse("ORIGINS", f"{_origin!r} is not of the form https://host[:port].")
CSRF_TRUSTED_ORIGINS = ORIGINS

try:
    SECRET_KEY = text("SECRET_KEY") or installation_key(DATA_DIR / "keys" / "secret_key")
    # Encrypts the values in the secret store: outside the database on purpose.
    SECRETS_KEY = text("SECRETS_KEY") or installation_key(DATA_DIR / "keys" / "secrets_key")
except KeyRefused as problem:
    refuse("DATA_DIR", str(problem))
for _name in ("SECRET_KEY", "SECRETS_KEY"):
    if len(globals()[_name]) < 40:
        refuse(_name, "is shorter than 40 characters; leave it out to have one made in DATA_DIR/keys.")

# The engines ---------------------------------------------------------------

DATABASE_URL = text("DATABASE_URL", f"sqlite:///{DATA_DIR / 'shiproom.sqlite3'}")


def database() -> dict[str, Any]:
    form = "postgres://user:password@host:port/name or sqlite:////path"
    # Before the library sees it: it warns of an unknown scheme by printing the password.
    address("DATABASE_URL", DATABASE_URL, form, {"postgres", "postgresql", "sqlite"})
    try:
        found: dict[str, Any] = dict(environ.Env.db_url_config(DATABASE_URL))
    except (ImproperlyConfigured, ValueError):
        refuse("DATABASE_URL", f"is not of the form {form}.")
    engine = found.get("ENGINE", "")
    options = {key: value for key, value in found.get("OPTIONS", {}).items()}
    if engine == "django.db.backends.sqlite3":
        options |= {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            # WAL is a property of the file: the migrate step sets it.
            "init_command": "PRAGMA synchronous=FULL;PRAGMA foreign_keys=ON",
        }
        return found | {"OPTIONS": options, "CONN_MAX_AGE": 0}
    if engine != "django.db.backends.postgresql":
        refuse("DATABASE_URL", "names an engine that is neither PostgreSQL nor SQLite.")
    options |= {
        # Django never prepares by default: half the rate of a claim.
        "prepare_threshold": 5,
        "connect_timeout": 5,
        # A server that vanished without a word is noticed within half a minute.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
        "options": "-c lock_timeout=5s -c statement_timeout=30s -c idle_in_transaction_session_timeout=30s",
    }
    if DATABASE_POOL_SIZE:
        options["pool"] = {"min_size": 1, "max_size": DATABASE_POOL_SIZE, "timeout": 10}
    age = 0 if DATABASE_POOL_SIZE else 600
    return found | {"OPTIONS": options, "CONN_MAX_AGE": age, "CONN_HEALTH_CHECKS": True}


DATABASES = {"default": database()}
ENGINE = "postgresql" if DATABASES["default"]["ENGINE"].endswith("postgresql") else "sqlite"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = text("REDIS_URL")
EMBEDDED_REDIS = not REDIS_URL
if EMBEDDED_REDIS:
    if len(os.fsencode(REDIS_SOCKET)) > SOCKET_PATH_MAX_BYTES:
        refuse(
            "DATA_DIR",
            f"{DATA_DIR} is too deep: a socket path in it would exceed {SOCKET_PATH_MAX_BYTES} bytes. "
            "Choose a shorter folder or set REDIS_URL.",
        )
    REDIS_URL = f"unix://{REDIS_SOCKET}"
else:
    address("REDIS_URL", REDIS_URL, "redis://host:port/0, rediss://... or unix:///path", {"redis", "rediss", "unix"})

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "shiproom"},
    }
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "shiproom",
        "OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 2},
    }
}

EMAIL_URL = text("EMAIL_URL", "consolemail://")
try:
    globals().update(environ.Env.email_url_config(EMAIL_URL))
except (ImproperlyConfigured, ValueError, KeyError):
    refuse("EMAIL_URL", "is not of the form smtp+tls://user:password@host:587.")
DEFAULT_FROM_EMAIL = text("FROM_EMAIL", f"shiproom@{_base.hostname}")
try:
    validate_email(parseaddr(DEFAULT_FROM_EMAIL)[1] if "\n" not in DEFAULT_FROM_EMAIL else "")
except ValidationError:
    # The default is of a host without a dot where the installation is.
    if text("FROM_EMAIL"):
        refuse("FROM_EMAIL", f"{DEFAULT_FROM_EMAIL!r} is not an e-mail address.")

# Where tests say at which named moment a process ends: see portal/core/failpoints.py.
FAILPOINTS_DIR = Path(text("FAILPOINTS_DIR")) if text("FAILPOINTS_DIR") else None
if FAILPOINTS_DIR is not None and (SECURE or HOST not in {"127.0.0.1", "::1", "localhost"}):
    refuse(
        "FAILPOINTS_DIR", "is for tests on this machine: not with an https BASE_URL, not with a HOST of the network."
    )
if FAILPOINTS_DIR is not None and not FAILPOINTS_DIR.is_dir():
    refuse("FAILPOINTS_DIR", f"{FAILPOINTS_DIR} is not a folder.")

REPOSITORY_HOSTS, REPOSITORY_LOCAL = hosts("REPOSITORY_HOSTS"), flag("REPOSITORY_LOCAL", True)
# Where PostgreSQL's own programs are; without it they are looked for.
PG_BIN_DIR = text("PG_BIN_DIR")
if PG_BIN_DIR and not Path(PG_BIN_DIR).is_dir():
    refuse("PG_BIN_DIR", f"{PG_BIN_DIR} is not a folder.")
# Whether a database with rows is backed up before its schema is migrated.
BACKUP_BEFORE_MIGRATE = flag("BACKUP_BEFORE_MIGRATE", True)

# The schema guard's override: "<reason> until <time with zone>"; logged and shown while it holds.
SCHEMA_GUARD_OVERRIDE = text("SCHEMA_GUARD_OVERRIDE")
if SCHEMA_GUARD_OVERRIDE:
    _reason, _, _until = SCHEMA_GUARD_OVERRIDE.rpartition(" until ")
    _expiry: datetime | None
    try:
        _expiry = datetime.fromisoformat(_until)
    except ValueError:
        _expiry = None
    if not _reason or _expiry is None or _expiry.tzinfo is None:
        refuse("SCHEMA_GUARD_OVERRIDE", "is not of the form '<reason> until 2026-01-31T12:00:00+00:00'.")

# Django --------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold",
    "portal.core",
    "portal.live",
    "workers",
    "tickets",
    "reviews",
    "deployments",
    "portal.site",
    "portal.api",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "channels",
    "axes",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
]
AUTH_USER_MODEL = "core.User"
MIDDLEWARE = [
    "portal.core.middleware.RequestIdentity",
    "django.middleware.security.SecurityMiddleware",
    "portal.site.statics.SharedFiles",
    "csp.middleware.CSPMiddleware",
    "portal.site.middleware.AdminContentPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "portal.site.middleware.ReadForms",
    "django.middleware.csrf.CsrfViewMiddleware",
    "portal.core.middleware.WholeText",
    "portal.core.middleware.PlainMethods",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portal.core.middleware.SessionAge",
    "portal.core.middleware.RequestActor",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.site.middleware.PrivatePages",
    "portal.site.middleware.RefusalPages",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "portal.urls"
ASGI_APPLICATION = "portal.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.site.context.frame",
            ],
        },
    }
]
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
DATETIME_FORMAT = "Y-m-d H:i:s"
DATE_FORMAT = "Y-m-d"
ATOMIC_REQUESTS = False
STATIC_URL = "/static/"
# An image collects its files when it is built and says where they are.
STATIC_ROOT = Path(text("STATIC_ROOT", str(DATA_DIR / "static"))).expanduser().absolute()
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        # Compressing takes most of a minute: an image pays it once, a first start must not.
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "portal.site.statics.HashedCompressed"
        if flag("STATIC_COMPRESSED")
        else "portal.site.statics.Hashed"
    },
}
MEDIA_ROOT = DATA_DIR / "media"
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * LIMITS["DOCUMENT_TEXT_MAX_BYTES"]
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
# Beyond what any form takes, so that the form itself says how many it takes.
DATA_UPLOAD_MAX_NUMBER_FILES = 200
FILE_UPLOAD_HANDLERS = ["portal.core.uploads.StrictForms"]
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"

# Doors ---------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# Whoever sets the installation up gets a link for this account; see launching/first_admin.py.
ADMIN_EMAIL = text("ADMIN_EMAIL", "admin@localhost")
try:
    validate_email(ADMIN_EMAIL)
except ValidationError:
    refuse("ADMIN_EMAIL", f"{ADMIN_EMAIL!r} is not an e-mail address.")
PASSWORD_RESET_TIMEOUT = LIMITS["SETUP_LINK_HOURS"] * 3600
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
CSRF_FAILURE_VIEW = "portal.site.errors.csrf_failure"
ACCOUNT_ADAPTER = "portal.site.adapters.ClosedSignup"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
# Login failures are counted by axes alone, so that one place says how many tries are left.
ACCOUNT_RATE_LIMITS = {"login_failed": None}
ACCOUNT_FORMS = {
    "change_password": "portal.site.forms.ChangePassword",
    "set_password": "portal.site.forms.SetPassword",
    "reset_password": "portal.site.forms.ResetPassword",
    "reset_password_from_key": "portal.site.forms.ResetPasswordKey",
    "reauthenticate": "portal.site.forms.Reauthenticate",
}
MFA_FORMS = {
    "authenticate": "portal.site.forms.SecondStep",
    "reauthenticate": "portal.site.forms.SecondStepAgain",
    "activate_totp": "portal.site.forms.ActivateTOTP",
}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Shiproom"
AXES_FAILURE_LIMIT = LIMITS["LOGIN_FAILURES"]
AXES_COOLOFF_TIME = LIMITS["LOGIN_LOCK_MINUTES"] / 60
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_FORM_FIELD = "login"
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
AXES_LOCKOUT_CALLABLE = "portal.site.views.locked_out"
AXES_HTTP_RESPONSE_CODE = 429
AXES_ENABLE_ADMIN = True

SESSION_COOKIE_NAME = "__Host-shiproom" if SECURE else "shiproom"
CSRF_COOKIE_NAME = "__Host-shiproom-csrf" if SECURE else "shiproom-csrf"
SESSION_COOKIE_AGE = LIMITS["SESSION_IDLE_HOURS"] * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = False
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_HSTS_PRELOAD = SECURE
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Only behind a proxy that sets the header itself and strips a client's.
if flag("BEHIND_PROXY"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    AXES_IPWARE_PROXY_COUNT = 1
SILENCED_SYSTEM_CHECKS = ["security.W008"]  # TLS ends at the proxy, which does the redirect
_socket_origins = [origin.replace("http", "ws", 1) for origin in ORIGINS]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "connect-src": ["'self'", *_socket_origins],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

# Celery: messages are wake-ups, the database is the queue -------------------

CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "short"
CELERY_WORKER_POOL = "solo"
CELERY_WORKER_CONCURRENCY = 1
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CONSUMER = "workers.consumer:PatientConsumer"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 2,
    "socket_timeout": 30,
    "visibility_timeout": 86_400,
    "unacked_restore_interval": 5,
    "global_keyprefix": "shiproom:",
}
CELERY_TASK_PUBLISH_RETRY = False
# Celery closes the database around each task; a new session costs more than what a drain does in it.
CELERY_DB_REUSE_MAX = 2**62
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True
CELERY_BEAT_SCHEDULE = {
    "tick": {
        "task": "workers.tick",
        "schedule": float(LIMITS["TICK_INTERVAL_SECONDS"]),
        "options": {"queue": "short", "expires": LIMITS["TICK_INTERVAL_SECONDS"] * 2},
    }
}
# One entry, due every few seconds: nothing is worth keeping in a schedule file.
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"

# Pages ---------------------------------------------------------------------

NINJA_PAGINATION_MAX_LIMIT = 100
UNFOLD = {
    "SITE_TITLE": "Shiproom",
    "SITE_HEADER": "Shiproom",
    "SITE_SUBHEADER": "Administration",
    "SITE_URL": "/",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": True,
    "STYLES": ["/static/portal/css/admin.css"],
}
LOGGING_CONFIG = "portal.core.logs.configure"
LOGGING = {"level": LOG_LEVEL, "plain": DEBUG or flag("LOG_PLAIN", sys.stderr.isatty())}
