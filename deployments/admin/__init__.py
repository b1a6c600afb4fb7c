"""Services, environments and deployments in the admin."""

from deployments.admin import deployments, environments, freezes, pipelines, policies, records, steps, webhooks

__all__ = ["deployments", "environments", "freezes", "pipelines", "policies", "records", "steps", "webhooks"]
