"""The registry of limits.

Every bound of the product is declared here once, with its unit in its name.
``portal.settings`` reads each from the environment under the same name, so a
running installation can show what holds (``/status.json``) and tests can
check each at the limit and one past it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limit:
    """A whole number with a unit; ``low`` and ``high`` bound what may be set."""

    name: str
    default: int
    low: int
    high: int
    meaning: str


ALL: Final[tuple[Limit, ...]] = (
    Limit("LEASE_SECONDS", 60, 3, 3600, "a claim's life without renewal"),
    Limit("HEARTBEAT_SECONDS", 15, 1, 600, "pause between two renewals of a claim"),
    Limit("CANCEL_LOOK_SECONDS", 2, 1, 5, "a worker hears of a cancel"),
    Limit("LEASE_MARGIN_SECONDS", 10, 1, 600, "a worker distrusts its lease this long before its end"),
    Limit("LOOK_INTERVAL_SECONDS", 10, 1, 15, "a worker looks for due work without any message"),
    Limit("TICK_INTERVAL_SECONDS", 5, 1, 60, "beat's one entry"),
    Limit("JOB_MAX_FAILURES", 3, 1, 100, "own errors after which a job is dead"),
    Limit("JOB_MAX_LOSSES", 3, 1, 100, "lost workers after which a job is dead"),
    Limit("JOB_MAX_UNSEEN", 3, 1, 100, "workers lost before their first heartbeat after which a job is dead"),
    Limit("JOB_MAX_TIMEOUTS", 2, 1, 100, "timed-out attempts after which a job is dead"),
    Limit("RETRY_FIRST_SECONDS", 5, 1, 3600, "cap of the first backoff"),
    Limit("RETRY_CAP_SECONDS", 600, 1, 86400, "cap of any backoff"),
    Limit("RATE_LIMIT_FIRST_SECONDS", 60, 1, 3600, "cap of the first wait after a provider's rate limit"),
    Limit("BULK_JOBS_MAX", 500, 1, 5000, "jobs requeued or cancelled with one press"),
    Limit("DRAIN_BATCH_JOBS", 50, 1, 500, "short jobs claimed at once"),
    Limit("DRAIN_BUDGET_SECONDS", 20, 1, 600, "a drain's time before it hands on"),
    Limit("DRAIN_LINGER_SECONDS", 2, 0, 60, "a worker that has done something waits for more before it rests"),
    Limit("ERROR_TEXT_CHARS", 4000, 100, 100_000, "an attempt's stored error text"),
    Limit("OUTPUT_CAP_BYTES", 8_388_608, 1024, 1_073_741_824, "kept of a child's output, per stream"),
    Limit("OUTPUT_CHUNK_BYTES", 65_536, 256, 1_048_576, "one stored piece of output"),
    Limit("TURN_WALL_SECONDS", 3600, 5, 86_400, "an agent's turn"),
    Limit("TURN_SILENCE_SECONDS", 900, 5, 86_400, "an agent's turn without a line"),
    Limit("CHECKS_MAX", 10, 1, 100, "commands that check a project's work"),
    Limit("CHECK_WALL_SECONDS", 600, 1, 86_400, "one of these commands"),
    Limit("ALLOWED_PATHS_MAX", 100, 1, 1000, "patterns of what a project's turns may change"),
    Limit("CLONE_SECONDS", 600, 5, 86_400, "fetching a project's repository, the first time all of it"),
    Limit("LANDING_LOOK_FIRST_SECONDS", 60, 1, 86_400, "first looks whether a pushed branch was merged, then rarer"),
    Limit("LANDING_LOOK_CAP_SECONDS", 1800, 1, 86_400, "the longest pause between two of them"),
    Limit("DIFF_MAX_CHARS", 400_000, 1000, 4_000_000, "kept of a branch's diff"),
    Limit(
        "DIFF_SEARCH_BYTES", 100_000_000, 1000, 10_000_000_000, "added lines of a branch, looked through for secrets"
    ),
    Limit("TRIAL_WALL_SECONDS", 120, 5, 3600, "an agent that is tried"),
    Limit("BREAKER_FAILURES", 5, 1, 100, "failures of an agent itself, one after the other, that open its breaker"),
    Limit("BREAKER_FIRST_SECONDS", 60, 1, 86_400, "an open breaker's first wait; each time it opens again, twice that"),
    Limit("BREAKER_CAP_SECONDS", 1800, 1, 86_400, "cap of an open breaker's wait"),
    Limit("STEP_WALL_SECONDS", 900, 5, 86_400, "a deployment's step"),
    Limit("HEALTH_WALL_SECONDS", 120, 1, 86_400, "a step that waits for health"),
    Limit("HEALTH_PAUSE_SECONDS", 1, 1, 60, "pause between two questions for health"),
    Limit("HEALTH_ANSWERS", 3, 1, 100, "answers in a row that report the deployed commit"),
    Limit("STEP_RETRIES", 10, 0, 100, "goes of a step after the first, by itself"),
    Limit("WAIT_MAX_SECONDS", 86_400, 1, 2_592_000, "the pause of a wait step"),
    Limit("STRUCTURE_MAX_BYTES", 400_000, 1000, 4_000_000, "kept of a database's structure, before and after"),
    Limit("OBSERVED_PLACEMENTS", 200, 1, 2000, "places that one round asks for health, the longest unasked first"),
    Limit("OBSERVE_ANSWER_SECONDS", 3, 1, 60, "such an answer may take"),
    Limit("OBSERVE_WALL_SECONDS", 10, 2, 600, "such a round; what was not asked by then comes first in the next"),
    Limit("DEGRADED_ANSWERS", 3, 1, 1000, "wrong answers in a row after which a place counts as degraded"),
    Limit("RECOVERED_ANSWERS", 3, 1, 1000, "right answers in a row after which it does so no more"),
    Limit("OBSERVATION_KEEP_DAYS", 30, 1, 3650, "answers of placed services, after the last of their kind"),
    Limit("PIPELINE_STEPS", 20, 1, 50, "steps of a service's pipeline"),
    Limit("FREEZE_MAX_DAYS", 92, 1, 366, "how long a freeze lasts"),
    Limit("FREEZE_AHEAD_DAYS", 400, 1, 3660, "how far ahead a freeze begins"),
    Limit("FREEZES_PLANNED", 50, 1, 500, "freezes of a project that are not over"),
    Limit("FREEZE_CALENDAR_WEEKS", 6, 1, 26, "weeks that the calendar of freezes shows"),
    Limit("VARIABLES_MAX", 50, 1, 500, "variables of an environment"),
    Limit("DOCUMENT_MAX_BYTES", 52_428_800, 1024, 52_428_800, "an uploaded review document; prose stays within 2 MB"),
    Limit("DOCUMENT_TEXT_MAX_BYTES", 2_000_000, 1024, 16_000_000, "a document that is pasted, or sent through the API"),
    Limit("COUNCIL_MEMBERS", 12, 1, 50, "people and agents of one council"),
    Limit("COUNCIL_DEADLINE_DAYS", 30, 1, 365, "how far ahead a council's deadline may be"),
    Limit("PREVIEW_MAX_BYTES", 250_000, 1024, 2_000_000, "a document read for a preview, while somebody waits"),
    Limit("MAKE_TICKETS_ROWS", 1000, 1, 1000, "findings made tickets at once"),
    Limit("BULK_ANSWERS_ROWS", 500, 1, 1000, "findings answered at once"),
    Limit("SAVED_FILTERS_ROWS", 50, 1, 500, "filters of the findings that one person saves"),
    Limit("TRENDS_RANGE_DAYS", 90, 7, 366, "days that the trends of findings look back"),
    Limit("TRENDS_FIXES_ROWS", 10_000, 10, 100_000, "fixes of which the trends take the time, the newest"),
    Limit("FIGURES_RANGE_DAYS", 366, 7, 3660, "days that figures of deployments may be asked of"),
    Limit("FIGURES_EVENTS_ROWS", 10_000, 10, 100_000, "ends of deployments that figures are made of, the newest"),
    Limit("EXPORT_MAX_ROWS", 10_000, 10, 100_000, "rows of an exported list"),
    Limit("EXPORT_MAX_FINDINGS", 10_000, 10, 100_000, "findings of an exported list"),
    Limit("PLAN_MAX_ROWS", 10_000, 10, 100_000, "rows of a plan: findings read, and open ones that it does not name"),
    Limit("CLOSE_GUARD_PERCENT", 30, 1, 100, "of the open findings of a series, closed by one import without a word"),
    Limit("CLOSE_GUARD_FINDINGS", 10, 1, 100_000, "findings that an import closes before their share is looked at"),
    Limit("REGION_PLACES_ROWS", 20_000, 10, 200_000, "places of findings whose code is read at once"),
    Limit("REGION_FILE_MAX_BYTES", 2_000_000, 1000, 20_000_000, "a file in which a place is looked up"),
    Limit("REGION_READ_MAX_BYTES", 40_000_000, 1000, 60_000_000, "of such files together"),
    Limit("EVIDENCE_MAX_CHARS", 4_000, 100, 20_000, "what is given as evidence that a finding is no problem"),
    Limit("WAIVER_MAX_DAYS", 90, 1, 3650, "a waiver of a finding may last"),
    Limit("DEFER_MAX_DAYS", 180, 1, 3650, "a finding may be deferred"),
    Limit("KEY_AHEAD_NUMBERS", 100_000, 1, 1_000_000_000, "a document's ticket key may be above the project's last"),
    Limit("TITLE_MAX_CHARS", 200, 20, 200, "a title"),
    Limit("BODY_MAX_CHARS", 100_000, 1000, 1_000_000, "a ticket's text"),
    Limit("MESSAGE_MAX_CHARS", 20_000, 1000, 100_000, "a message of a conversation"),
    Limit("TURN_MAX_MESSAGES", 50, 1, 500, "messages that one turn takes; the rest wait for the next"),
    Limit("TURN_MESSAGES_CHARS", 40_000, 1000, 500_000, "of their text together, unless the first alone is longer"),
    Limit("TURN_POSTED_MESSAGES", 100, 1, 1000, "messages that one turn may post by a tool"),
    Limit("TURN_PROPOSALS", 10, 1, 100, "findings that one turn may propose"),
    Limit("PROPOSAL_MAX_CHARS", 10_000, 200, 100_000, "the text of a proposed finding"),
    Limit("PROGRESS_MAX_CHARS", 200, 20, 300, "what an agent reports as its progress"),
    Limit("PROGRESS_PAUSE_SECONDS", 2, 1, 600, "pause between two such reports of a turn"),
    Limit("QUESTION_MAX_CHARS", 10_000, 200, 100_000, "what an agent asks"),
    Limit("QUESTION_OPTIONS", 10, 2, 50, "options of a question"),
    Limit("OPTION_MAX_CHARS", 300, 20, 2000, "an option's label, and its detail"),
    Limit("ANSWER_MAX_CHARS", 10_000, 100, 50_000, "an answer in words, or the note to an option"),
    Limit("PERMISSION_WAIT_SECONDS", 300, 5, 3600, "a running turn waits for a person; then it ends, and waits"),
    Limit("TURN_QUESTIONS_ROWS", 200, 10, 2000, "permissions and questions of a running turn; the rest is denied"),
    Limit("QUESTION_DEADLINE_FIRST_MINUTES", 15, 1, 1440, "the earliest deadline that an agent may set"),
    Limit("QUESTION_DEADLINE_LAST_MINUTES", 43_200, 1440, 525_600, "the latest one"),
    Limit("TURN_DECISIONS_ROWS", 20, 1, 100, "decisions of its project that a turn is told, the newest"),
    Limit("TURN_DECISIONS_CHARS", 12_000, 2000, 100_000, "of their text together"),
    Limit("JOB_SEARCH_ROWS", 50_000, 100, 1_000_000, "the newest jobs of a list, in which words are looked for"),
    Limit("LIST_PAGE_ROWS", 50, 5, 500, "rows of one page of a list"),
    Limit("BOARD_COLUMN_ROWS", 25, 5, 200, "cards in one column of the board, those that changed last"),
    Limit("BOARD_DONE_DAYS", 14, 1, 365, "what is done stays on the board"),
    Limit("NOTIFICATIONS_KEPT_ROWS", 500, 10, 10_000, "notifications kept of one person, the newest"),
    Limit("ATTACHMENT_MAX_BYTES", 10_000_000, 1024, 100_000_000, "an attached file"),
    Limit("REQUEST_FILES", 10, 1, 50, "files sent at once"),
    Limit("TICKET_FILES", 100, 1, 10_000, "files of a ticket"),
    Limit("ATTACHMENTS_TOTAL_BYTES", 200_000_000, 1024, 10_000_000_000, "all files of a ticket together"),
    Limit("IMAGE_PIXELS", 40_000_000, 1, 1_000_000_000, "an image that a page shows, by its header"),
    Limit("UPLOAD_MAX_BYTES", 50_000_000, 70_000, 1_000_000_000, "a request with files"),
    Limit("UPLOAD_SECONDS", 300, 1, 3600, "a request's body may take to arrive"),
    Limit("SOCKET_FRAME_BYTES", 65_536, 1024, 1_048_576, "a frame from a browser"),
    Limit("SOCKET_RATE_FRAMES", 20, 1, 1000, "frames a second from a browser, after its first burst"),
    Limit("SOCKET_BAD_FRAMES", 2, 0, 100, "frames that cannot be read, before the socket is closed"),
    Limit("USER_SOCKETS", 100, 1, 100_000, "open sockets of one person, in each web process"),
    Limit("SOCKET_STREAMS", 50, 1, 1000, "streams one socket may follow"),
    Limit("SOCKET_QUEUE_FRAMES", 64, 4, 4096, "frames waiting for a slow socket"),
    Limit("SOCKET_SEND_SECONDS", 10, 1, 120, "a send to a socket that does not read"),
    Limit("LIVE_POLL_SECONDS", 2, 1, 5, "the tailer looks without any hint"),
    Limit("LIVE_RIGHTS_SECONDS", 5, 1, 10, "rights of open sockets are looked at again"),
    Limit("EVENT_KEEP_HOURS", 48, 1, 8760, "events are kept for replay"),
    Limit("IDEMPOTENCY_KEEP_HOURS", 24, 1, 8760, "what was asked under an Idempotency-Key, and its answer"),
    Limit("IDEMPOTENCY_ANSWER_MAX_BYTES", 1_000_000, 1024, 10_000_000, "an answer that is kept under such a key"),
    Limit("SCHEDULE_CATCH_UP_TICKS", 100, 1, 1000, "missed due times that a schedule makes up for, each by a job"),
    Limit("JOB_KEEP_DAYS", 30, 1, 3650, "jobs that succeeded or were cancelled, with their attempts"),
    Limit("DEAD_JOB_KEEP_DAYS", 180, 1, 3650, "dead jobs, with their attempts"),
    Limit("OUTPUT_KEEP_DAYS", 90, 1, 3650, "what turns, steps and trials wrote, after their end"),
    Limit("TICK_KEEP_DAYS", 30, 1, 3650, "ticks of schedules"),
    Limit("LOGIN_KEEP_DAYS", 90, 1, 3650, "who signed in, and who was refused"),
    Limit("WORKSPACE_KEEP_DAYS", 14, 1, 3650, "the worktree of a ticket that is done"),
    Limit("WORKSPACE_MAX_BYTES", 20_000_000_000, 1_000_000, 10_000_000_000_000, "a ticket's worktree and homes"),
    Limit("DISK_LEAST_BYTES", 200_000_000, 0, 1_000_000_000_000, "free on a disk before a turn or merge begins"),
    Limit("SESSION_IDLE_HOURS", 336, 1, 8760, "a session without use"),
    Limit("SESSION_MAX_HOURS", 720, 1, 8760, "a session, however used"),
    Limit("SETUP_LINK_HOURS", 72, 1, 720, "the first admin's set-password link"),
    Limit("LOGIN_FAILURES", 5, 1, 100, "wrong passwords of one account from one address"),
    Limit("LOGIN_LOCK_MINUTES", 15, 1, 1440, "the lock after them"),
    Limit("REHEARSAL_MAX_BYTES", 1_000_000_000, 0, 1_000_000_000_000, "a database whose upgrade is rehearsed"),
    Limit("REHEARSAL_KEEP_DAYS", 365, 1, 3650, "rehearsals of migrations"),
    Limit("BACKUPS_KEPT", 7, 1, 1000, "backups in a folder, the newest"),
    Limit("DISK_WARN_PERCENT", 10, 1, 90, "free space under which the status page warns"),
    Limit("GRACEFUL_STOP_SECONDS", 20, 1, 600, "a process may take to stop"),
    Limit("WEB_DRAIN_SECONDS", 0, 0, 300, "a web process says that it is not ready, and answers, before it stops"),
)

BY_NAME: Final[dict[str, Limit]] = {limit.name: limit for limit in ALL}


def value(name: str) -> int:
    """The limit in force; ``KeyError`` for a name that is not declared."""
    from django.conf import settings

    BY_NAME[name]
    number: int = settings.LIMITS[name]
    return number
