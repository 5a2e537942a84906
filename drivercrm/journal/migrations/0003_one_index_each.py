"""No second index for what another one begins with; imports write less."""

import django.db.models.deletion
from django.db import migrations, models

from drivercrm.core.schema import DropOwnIndex


class Migration(migrations.Migration):

    dependencies = [
        ('journal', '0002_audit_filters'),
    ]

    operations = [
        DropOwnIndex(
            model_name='delivery',
            name='entry',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='journal.entry'),
        ),
    ]
