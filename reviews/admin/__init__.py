"""Reviews and findings in the admin."""

from reviews.admin import findings, records, reviews

__all__ = ["findings", "records", "reviews"]
