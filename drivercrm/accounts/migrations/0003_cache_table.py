"""The table of the shared cache, so that `migrate` alone makes a database that works."""

from django.core.management import call_command
from django.db import migrations


def make(apps, schema_editor):
    # knows the column types of both databases, and leaves a table that exists as it is
    call_command("createcachetable", "django_cache", database=schema_editor.connection.alias, verbosity=0)


def drop(apps, schema_editor):
    schema_editor.execute("DROP TABLE IF EXISTS django_cache")


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_sessions_and_sign_in_counts")]
    operations = [migrations.RunPython(make, drop)]
