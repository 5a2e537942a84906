"""Daily participation and what it earns (seed `engagement_metrics`)."""

from decimal import Decimal

from django.db import models
from django.db.models import Q
from django.db.models.lookups import Exact

from drivercrm.core import clock
from drivercrm.core.ids import uuid7
from drivercrm.core.money import cents
from drivercrm.drivers.models import Driver
from drivercrm.engagement.enums import PaymentStatus


class EngagementMetric(models.Model):
    """One driver's day. The total is checked by the database in whole cents (spec §7)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    driver = models.ForeignKey(
        Driver, on_delete=models.CASCADE, related_name="engagement_metrics", db_index=False
    )

    date = models.DateField()
    app_usage_hours = models.FloatField(null=True)
    data_quality_score = models.FloatField(null=True)
    participation_score = models.FloatField(null=True)

    base_reward = models.DecimalField(max_digits=12, decimal_places=2, default=Decimal("0.00"))
    bonus_reward = models.DecimalField(max_digits=12, decimal_places=2, default=Decimal("0.00"))
    total_reward = models.DecimalField(max_digits=12, decimal_places=2, default=Decimal("0.00"))
    payment_status = models.CharField(
        max_length=7, choices=PaymentStatus.choices, default=PaymentStatus.PENDING
    )

    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "engagement_metrics"
        constraints = [
            models.UniqueConstraint(fields=["driver", "date"], name="metric_once_per_day"),
            models.CheckConstraint(
                name="metric_payment_status", condition=Q(payment_status__in=PaymentStatus.values)
            ),
            models.CheckConstraint(
                name="metric_total_is_base_plus_bonus",
                condition=Exact(cents("total_reward"), cents("base_reward") + cents("bonus_reward")),
            ),
            models.CheckConstraint(
                name="metric_hours",
                condition=Q(app_usage_hours__isnull=True)
                | Q(app_usage_hours__gte=0, app_usage_hours__lte=24),
            ),
            models.CheckConstraint(
                name="metric_quality",
                condition=Q(data_quality_score__isnull=True)
                | Q(data_quality_score__gte=0, data_quality_score__lte=100),
            ),
            models.CheckConstraint(
                name="metric_participation",
                condition=Q(participation_score__isnull=True)
                | Q(participation_score__gte=0, participation_score__lte=100),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.driver_id} on {self.date}"
