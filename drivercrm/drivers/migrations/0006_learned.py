"""When an address became known, and an index that finds a WhatsApp number on any record."""

from typing import Any

from django.db import migrations, models
from django.db.models import F

import drivercrm.core.clock


def learned_when_bound(apps: Any, schema_editor: Any) -> None:
    """Until now an address was held from the moment it became known."""
    apps.get_model("drivers", "ChannelIdentity").objects.update(recorded_at=F("since"))


class Migration(migrations.Migration):

    dependencies = [
        ('drivers', '0005_following_changes'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='driver',
            index=models.Index(
                condition=models.Q(('whatsapp_number__isnull', False)),
                fields=['whatsapp_number'],
                name='driver_whatsapp',
            ),
        ),
        migrations.AddField(
            model_name='channelidentity',
            name='recorded_at',
            field=models.DateTimeField(default=drivercrm.core.clock.now),
        ),
        migrations.RunPython(learned_when_bound, migrations.RunPython.noop),
    ]
