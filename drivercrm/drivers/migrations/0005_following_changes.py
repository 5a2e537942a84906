"""An index for programs that follow changes (`/api/v1/drivers?sort=updated`)."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('drivers', '0004_board_order'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='driver',
            index=models.Index(fields=['updated_at', 'id'], name='driver_updated'),
        ),
    ]
