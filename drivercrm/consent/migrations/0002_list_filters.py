from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("consent", "0001_ledger"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="consent",
            index=models.Index(fields=["channel", "purpose", "state", "driver"], name="consent_by_state"),
        ),
    ]
