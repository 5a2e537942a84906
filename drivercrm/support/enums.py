"""The seed's values, unchanged."""

from django.db.models import TextChoices


class IssueType(TextChoices):
    TECHNICAL = "technical", "Technical"
    ACCOUNT = "account", "Account"
    PAYMENT = "payment", "Payment"
    OTHER = "other", "Other"


class Priority(TextChoices):
    LOW = "low", "Low"
    MEDIUM = "medium", "Medium"
    HIGH = "high", "High"
    URGENT = "urgent", "Urgent"


class TicketStatus(TextChoices):
    OPEN = "open", "Open"
    IN_PROGRESS = "in_progress", "In progress"
    RESOLVED = "resolved", "Resolved"
    CLOSED = "closed", "Closed"
