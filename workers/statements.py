"""The engine's SQL, in one place, per engine.

Facts behind it (measured): WHERE compares with ``statement_timestamp()``
(``clock_timestamp()`` is volatile, never an index condition), SET writes
``clock_timestamp()`` (``now()`` stands still in a transaction);
``= ANY(ARRAY(...))`` keeps the primary key in the plan where a join would
not; ``<> ALL(ARRAY(...))`` over one frequent kind is taken to leave one row,
and all due rows are sorted then, so pauses are looked up in a subplan; what
decides a limit is a row that is locked or a unique key that is inserted,
while EXISTS over other rows is only a filter. ``(state = 'running') IS TRUE``
is what no index answers: the planner would leave the primary key for the dead
entries of an index by state.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import connection
from psycopg import Cursor

# An enqueue, one statement: with the lane of its kind where that is bounded. No row back: its unique key lives.
ENQUEUE_POSTGRESQL: Final = """
INSERT INTO workers_job (kind, pool, lane, subject, exclusive, unique_key, host, max_failures, audience, payload,
                         cause, state, priority, run_after, fence, worker, error)
VALUES (%(kind)s, %(pool)s,
        CASE WHEN %(lane)s = '' THEN COALESCE((SELECT name FROM workers_lane WHERE name = %(bounded)s), '')
             ELSE %(lane)s END,
        %(subject)s, %(exclusive)s, %(unique_key)s, %(host)s, %(max_failures)s, %(audience)s, %(payload)s::jsonb,
        %(cause)s::jsonb, 'queued', %(priority)s, clock_timestamp() + make_interval(secs => %(delay)s), 0, '', '')
ON CONFLICT (kind, unique_key) WHERE state IN ('queued', 'running') AND NOT (unique_key = '') DO NOTHING
RETURNING id, lane, run_after, created_at
"""

# The claim, one statement. Order of locks: jobs, lane slots, subject slots.
# A lane's free slots are locked, not taken, so that a job that loses its
# subject leaves no slot behind.
CLAIM_POSTGRESQL: Final = """
WITH candidate AS MATERIALIZED (
    SELECT q.id, q.lane, q.subject, q.exclusive, q.priority, q.run_after
      FROM workers_job q
     WHERE q.state = 'queued' AND q.pool = %(pool)s AND q.kind = ANY(%(kinds)s)
       AND q.run_after <= statement_timestamp() AND q.host IN ('', %(host)s)
       AND NOT EXISTS (SELECT 1 FROM workers_pause p WHERE p.name = 'pool:' || %(pool)s)
       AND NOT (q.kind <> '' AND EXISTS (SELECT 1 FROM workers_pause p WHERE p.name = 'kind:' || q.kind))
       AND NOT (q.exclusive AND EXISTS (SELECT 1 FROM workers_subjectslot s WHERE s.subject = q.subject))
       AND (q.lane = '' OR EXISTS (
            SELECT 1 FROM workers_laneslot s JOIN workers_lane l ON l.name = s.lane_id
             WHERE s.lane_id = q.lane AND s.job_id IS NULL AND s.n <= l.slots))
     ORDER BY q.priority, q.run_after, q.id
     LIMIT %(most)s
       FOR UPDATE OF q SKIP LOCKED),
free AS MATERIALIZED (
    SELECT s.id, s.lane_id AS lane
      FROM workers_laneslot s JOIN workers_lane l ON l.name = s.lane_id
     WHERE s.job_id IS NULL AND s.n <= l.slots AND s.lane_id IN (SELECT lane FROM candidate WHERE lane <> '')
     ORDER BY s.lane_id, s.n
       FOR UPDATE OF s SKIP LOCKED),
pick AS (
    SELECT c.id AS job_id, f.id AS slot_id
      FROM (SELECT id, lane, row_number() OVER (PARTITION BY lane ORDER BY priority, run_after, id) AS k
              FROM candidate WHERE lane <> '') c
      JOIN (SELECT id, lane, row_number() OVER (PARTITION BY lane ORDER BY id) AS k FROM free) f USING (lane, k)),
subject AS (
    INSERT INTO workers_subjectslot (subject, job_id)
    SELECT DISTINCT ON (c.subject) c.subject, c.id
      FROM candidate c LEFT JOIN pick p ON p.job_id = c.id
     WHERE c.exclusive AND (c.lane = '' OR p.slot_id IS NOT NULL)
     ORDER BY c.subject, c.priority, c.run_after, c.id
        ON CONFLICT DO NOTHING
    RETURNING job_id),
won AS (
    SELECT c.id, p.slot_id
      FROM candidate c LEFT JOIN pick p ON p.job_id = c.id
     WHERE (c.lane = '' OR p.slot_id IS NOT NULL)
       AND (NOT c.exclusive OR c.id IN (SELECT job_id FROM subject))),
slot AS (
    UPDATE workers_laneslot s SET job_id = w.id FROM won w WHERE s.id = w.slot_id),
claimed AS (
    UPDATE workers_job j
       SET state = 'running', fence = j.fence + 1, worker = %(worker)s,
           lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
     WHERE j.id = ANY(ARRAY(SELECT id FROM won))
    RETURNING j.id, j.kind, j.fence, j.subject, j.payload, j.cause, j.audience, j.priority, j.run_after),
attempt AS (
    INSERT INTO workers_attempt (job_id, fence, worker, outcome, error, started_at)
    SELECT id, fence, %(worker)s, 'running', '', clock_timestamp() FROM claimed
    RETURNING id, job_id)
SELECT c.id, a.id, c.kind, c.fence, c.subject, c.payload, c.cause, c.audience
  FROM claimed c JOIN attempt a ON a.job_id = c.id
 ORDER BY c.priority, c.run_after, c.id
"""

# Whether anything is due that a claim could take: before a second try, and before SQLite's write lock.
CLAIMABLE: Final = """
SELECT q.id, q.lane, q.subject, q.exclusive, q.kind, q.fence, q.payload, q.cause, q.audience
  FROM workers_job q
 WHERE q.state = 'queued' AND q.pool = %(pool)s AND q.kind {kinds}
   AND q.run_after <= {now} AND q.host IN ('', %(host)s)
   AND NOT EXISTS (SELECT 1 FROM workers_pause p WHERE p.name = 'pool:' || %(pool)s)
   AND NOT (q.kind <> '' AND EXISTS (SELECT 1 FROM workers_pause p WHERE p.name = 'kind:' || q.kind))
   AND NOT (q.exclusive AND EXISTS (SELECT 1 FROM workers_subjectslot s WHERE s.subject = q.subject))
   AND (q.lane = '' OR EXISTS (
        SELECT 1 FROM workers_laneslot s JOIN workers_lane l ON l.name = s.lane_id
         WHERE s.lane_id = q.lane AND s.job_id IS NULL AND s.n <= l.slots))
 ORDER BY q.priority, q.run_after, q.id
 LIMIT %(most)s
"""
CLAIMABLE_POSTGRESQL: Final = CLAIMABLE.format(kinds="= ANY(%(kinds)s)", now="statement_timestamp()")

# SQLite: one writer, under BEGIN IMMEDIATE; plain reads decide there. Times as Django writes them.
SQLITE_NOW: Final = "(strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now') || '000')"
SQLITE_LATER: Final = "(strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', %(lease)s) || '000')"
CLAIMABLE_SQLITE: Final = CLAIMABLE.format(
    kinds="IN (SELECT value FROM json_each(%(kinds)s))",
    now=SQLITE_NOW,
)
FREE_SLOT_SQLITE: Final = """
SELECT s.id FROM workers_laneslot s JOIN workers_lane l ON l.name = s.lane_id
 WHERE s.lane_id = %s AND s.job_id IS NULL AND s.n <= l.slots ORDER BY s.n LIMIT 1
"""
CLAIM_ONE_SQLITE: Final = f"""
UPDATE workers_job
   SET state = 'running', fence = fence + 1, worker = %(worker)s, lease_until = {SQLITE_LATER}
 WHERE id = %(id)s AND state = 'queued'
"""
ATTEMPT_SQLITE: Final = f"""
INSERT INTO workers_attempt (job_id, fence, worker, outcome, error, started_at)
VALUES (%(id)s, %(fence)s, %(worker)s, 'running', '', {SQLITE_NOW}) RETURNING id
"""

# Renewal. An expired lease that nobody took may still renew: the fence decides, not the time.
RENEW_POSTGRESQL: Final = """
UPDATE workers_job j
   SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
  FROM unnest(%(ids)s::bigint[], %(fences)s::int[]) h(id, fence)
 WHERE j.id = h.id AND j.fence = h.fence AND (j.state = 'running') IS TRUE
RETURNING j.id, j.cancel_at IS NOT NULL
"""
RENEW_SQLITE: Final = f"""
UPDATE workers_job SET lease_until = {SQLITE_LATER}
 WHERE state = 'running'
   AND (id, fence) IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(%(pairs)s))
RETURNING id, cancel_at IS NOT NULL
"""

# The frequent end: a success that frees a slot at most, in one statement and one commit. A row back is a verdict.
SUCCEED_POSTGRESQL: Final = """
WITH done AS (
    UPDATE workers_job
       SET state = 'succeeded', worker = '', lease_until = NULL, error = '', finished_at = clock_timestamp()
     WHERE id = %(job)s AND fence = %(fence)s AND (state = 'running') IS TRUE
    RETURNING id, fence, pool, lane, exclusive),
attempt AS (
    UPDATE workers_attempt a
       SET outcome = 'succeeded', ended_at = clock_timestamp(), cpu_ms = %(cpu)s, memory_bytes = %(memory)s
      FROM done d WHERE a.job_id = d.id AND a.fence = d.fence),
subject AS (
    DELETE FROM workers_subjectslot s USING done d WHERE d.exclusive AND s.job_id = d.id),
slot AS (
    UPDATE workers_laneslot s SET job_id = NULL FROM done d WHERE d.lane <> '' AND s.job_id = d.id)
SELECT pool, exclusive OR lane <> '' FROM done
"""


def prepared(statement: str, values: dict[str, Any]) -> list[Any]:
    """Run on psycopg's own cursor: Django's binds on the client and is never prepared (half the rate)."""
    connection.ensure_connection()
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
