"""Services, environments and deployments in the admin."""

from deployments.admin import deployments, environments, pipelines, policies, records, steps

__all__ = ["deployments", "environments", "pipelines", "policies", "records", "steps"]
