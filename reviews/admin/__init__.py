"""Reviews and findings in the admin."""

from reviews.admin import action_items, councils, decisions, findings, records, reviews, saved_filters

__all__ = ["action_items", "councils", "decisions", "findings", "records", "reviews", "saved_filters"]
