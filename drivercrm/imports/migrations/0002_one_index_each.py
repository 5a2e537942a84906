"""No driver's row is looked up by this; the imports write less."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('imports', '0001_imports'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='importrow',
            name='import_row_driver',
        ),
    ]
