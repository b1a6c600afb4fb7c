"""Addresses of the pages that see all apps."""

from __future__ import annotations

from django.urls import path

from portal.site import views
from portal.site.pages import activity, backups, installation, job, jobs, notifications, queues

urlpatterns = [
    path("", views.needs_me, name="needs_me"),
    path("fragment/", views.needs_me_fragment, name="needs_me_fragment"),
    path("favicon.ico", views.favicon, name="favicon"),
    path("account/theme/", views.theme, name="theme"),
    path("activity/", activity.activity, name="activity"),
    path("activity/fragment/", activity.activity_fragment, name="activity_fragment"),
    path("notifications/", notifications.listed, name="notifications"),
    path("notifications/fragment/", notifications.fragment, name="notifications_fragment"),
    path("notifications/bell/", notifications.bell, name="notifications_bell"),
    path("notifications/read/", notifications.read_all, name="notifications_read_all"),
    path("notifications/<int:number>/open/", notifications.open_line, name="notification_open"),
    path("notifications/<int:number>/read/", notifications.read, name="notification_read"),
    path("workers/", jobs.jobs, name="jobs"),
    path("workers/fragment/", jobs.jobs_fragment, name="jobs_fragment"),
    path("workers/fleet/", jobs.fleet_fragment, name="fleet_fragment"),
    path("workers/requeue/", jobs.requeue_all, name="jobs_requeue_all"),
    path("workers/cancel/", jobs.cancel_all, name="jobs_cancel_all"),
    path("workers/queues/<str:queue>/pause/", queues.pause, name="queue_pause"),
    path("workers/queues/<str:queue>/resume/", queues.resume, name="queue_resume"),
    path("workers/jobs/<int:number>/", job.job, name="job"),
    path("workers/jobs/<int:number>/fragment/", job.job_fragment, name="job_fragment"),
    path("workers/jobs/<int:number>/output/", job.output_fragment, name="job_output"),
    path("workers/jobs/<int:number>/cancel/", job.cancel, name="job_cancel"),
    path("workers/jobs/<int:number>/requeue/", job.requeue, name="job_requeue"),
    path("backups/", backups.listed, name="backups"),
    path("backups/fragment/", backups.fragment, name="backups_fragment"),
    path("backups/now/", backups.ask, name="backups_ask"),
    path("schema/", installation.schema, name="schema"),
    path("status/", installation.status, name="status"),
    path("status/fragment/", installation.status_fragment, name="status_fragment"),
    path("status.json", installation.status_json, name="status_json"),
    path("livez", installation.livez, name="livez"),
    path("readyz", installation.readyz, name="readyz"),
]
