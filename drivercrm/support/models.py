"""What drivers need help with (seed `support_tickets`)."""

from django.db import models
from django.db.models import Q

from drivercrm.core import clock
from drivercrm.core.ids import uuid7
from drivercrm.drivers.models import Driver
from drivercrm.support.enums import IssueType, Priority, TicketStatus


class SupportTicket(models.Model):
    """One problem of one driver."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    driver = models.ForeignKey(
        Driver, on_delete=models.CASCADE, related_name="support_tickets", db_index=False
    )

    issue_type = models.CharField(max_length=9, choices=IssueType.choices)
    priority = models.CharField(max_length=6, choices=Priority.choices, default=Priority.MEDIUM)
    status = models.CharField(max_length=11, choices=TicketStatus.choices, default=TicketStatus.OPEN)

    subject = models.CharField(max_length=300)
    description = models.TextField(blank=True, default="")
    resolution = models.TextField(blank=True, default="")

    created_at = models.DateTimeField(default=clock.now)
    resolved_at = models.DateTimeField(null=True)
    assigned_to = models.CharField(max_length=80, blank=True, default="")
    response_time = models.PositiveIntegerField(null=True, help_text="Minutes until the first answer.")

    class Meta:
        db_table = "support_tickets"
        indexes = [models.Index(fields=["driver", "-id"], name="ticket_of_driver")]
        constraints = [
            models.CheckConstraint(name="ticket_issue_type", condition=Q(issue_type__in=IssueType.values)),
            models.CheckConstraint(name="ticket_priority", condition=Q(priority__in=Priority.values)),
            models.CheckConstraint(name="ticket_status", condition=Q(status__in=TicketStatus.values)),
        ]

    def __str__(self) -> str:
        return self.subject
