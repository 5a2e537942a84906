"""Mails found however their letters are written: who shares an address with somebody who says no."""

from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Lower


class Migration(migrations.Migration):
    dependencies = [("drivers", "0007_left_addresses")]

    operations = [
        migrations.AddIndex(
            model_name="driver",
            index=models.Index(Lower("email"), name="driver_mail", condition=Q(email__isnull=False)),
        ),
    ]
