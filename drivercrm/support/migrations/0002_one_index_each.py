"""No second index for what another one begins with; imports write less."""

import django.db.models.deletion
from django.db import migrations, models

from drivercrm.core.schema import DropOwnIndex


class Migration(migrations.Migration):

    dependencies = [
        ('drivers', '0009_one_index_each'),
        ('support', '0001_tickets'),
    ]

    operations = [
        DropOwnIndex(
            model_name='supportticket',
            name='driver',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='support_tickets', to='drivers.driver'),
        ),
    ]
