from django.db import migrations, models

CHANNELS = [("whatsapp", "WhatsApp"), ("telegram", "Telegram"), ("email", "Email"), ("phone", "Phone")]


class Migration(migrations.Migration):
    """Addresses are bound per channel: a number that left WhatsApp alone may still be called."""

    dependencies = [("consent", "0002_list_filters")]

    operations = [
        migrations.RemoveConstraint("suppressedaddress", "address_suppressed_once"),
        migrations.RemoveConstraint("suppressedaddress", "suppressed_kind"),
        migrations.RunSQL("DELETE FROM suppressed_addresses", migrations.RunSQL.noop),
        migrations.RenameField("suppressedaddress", "kind", "channel"),
        migrations.AlterField("suppressedaddress", "channel", models.CharField(choices=CHANNELS, max_length=8)),
        migrations.AddField("suppressedaddress", "is_everything", models.BooleanField(default=False)),
        migrations.AddConstraint(
            "suppressedaddress",
            models.UniqueConstraint(fields=["channel", "address_hash"], name="address_suppressed_once"),
        ),
        migrations.AddConstraint(
            "suppressedaddress",
            models.CheckConstraint(
                name="suppressed_channel", condition=models.Q(channel__in=[value for value, _ in CHANNELS])
            ),
        ),
    ]
