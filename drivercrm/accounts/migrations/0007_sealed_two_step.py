"""Seals the secrets of two-step sign-in that were stored in clear."""

from django.db import migrations

from drivercrm.core.sealing import is_sealed, seal, unseal

NAMES = ("secret", "seed")


def _rewrite(apps, turn, is_due):
    Authenticator = apps.get_model("mfa", "Authenticator")
    for row in Authenticator.objects.filter(type__in=("totp", "recovery_codes")):
        due = {name: turn(row.data[name]) for name in NAMES if name in row.data and is_due(row.data[name])}
        if due:
            row.data = row.data | due
            row.save(update_fields=["data"])


def to_sealed(apps, schema_editor):
    _rewrite(apps, seal, lambda text: not is_sealed(text))


def to_clear(apps, schema_editor):
    _rewrite(apps, unseal, is_sealed)


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0006_held"),
        ("mfa", "0003_authenticator_type_uniq"),
    ]

    operations = [migrations.RunPython(to_sealed, to_clear)]
