"""Services, environments and deployments in the admin."""

from deployments.admin import deployments, environments, policies, records, services

__all__ = ["deployments", "environments", "policies", "records", "services"]
