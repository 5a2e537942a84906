"""No second index for what another one begins with; imports write less."""

import django.db.models.deletion
from django.db import migrations, models

from drivercrm.core.schema import DropOwnIndex


class Migration(migrations.Migration):

    dependencies = [
        ('consent', '0003_suppression_by_channel'),
        ('drivers', '0009_one_index_each'),
    ]

    operations = [
        DropOwnIndex(
            model_name='consent',
            name='driver',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='consents', to='drivers.driver'),
        ),
        DropOwnIndex(
            model_name='consentevent',
            name='driver',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='consent_events', to='drivers.driver'),
        ),
    ]
