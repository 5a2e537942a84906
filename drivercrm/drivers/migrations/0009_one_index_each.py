"""No second index for what another one begins with; imports write less."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from drivercrm.core.schema import DropOwnIndex


class Migration(migrations.Migration):

    dependencies = [
        ('drivers', '0008_mail_in_any_case'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        DropOwnIndex(
            model_name='driver',
            name='owner',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='drivers', to=settings.AUTH_USER_MODEL),
        ),
        DropOwnIndex(
            model_name='onboardingstep',
            name='driver',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='steps', to='drivers.driver'),
        ),
        DropOwnIndex(
            model_name='statuschange',
            name='driver',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='status_changes', to='drivers.driver'),
        ),
    ]
