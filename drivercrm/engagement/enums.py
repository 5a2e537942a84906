"""The seed's values, unchanged."""

from django.db.models import TextChoices


class PaymentStatus(TextChoices):
    PENDING = "pending", "Pending"
    PAID = "paid", "Paid"
    FAILED = "failed", "Failed"
