"""Addresses that drivers have left, and Telegram user names, found without reading every row."""

from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Lower


class Migration(migrations.Migration):
    dependencies = [("drivers", "0006_learned")]

    operations = [
        migrations.AddIndex(
            model_name="channelidentity",
            index=models.Index(
                fields=["kind", "value"], name="identity_left", condition=Q(until__isnull=False)
            ),
        ),
        migrations.AddIndex(
            model_name="driver",
            index=models.Index(
                Lower("telegram_username"),
                name="driver_telegram",
                condition=Q(telegram_username__isnull=False),
            ),
        ),
    ]
