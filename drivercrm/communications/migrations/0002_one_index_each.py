"""No second index for what another one begins with; imports write less."""

import django.db.models.deletion
from django.db import migrations, models

from drivercrm.core.schema import DropOwnIndex


class Migration(migrations.Migration):

    dependencies = [
        ('communications', '0001_communications'),
        ('drivers', '0009_one_index_each'),
    ]

    operations = [
        DropOwnIndex(
            model_name='communication',
            name='driver',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='communications', to='drivers.driver'),
        ),
    ]
