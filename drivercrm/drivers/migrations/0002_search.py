"""Search by any three letters: FTS5 trigrams on SQLite, pg_trgm on PostgreSQL (ADR 0006).

On SQLite the searched text has a table of its own with an INTEGER PRIMARY KEY, because the row numbers of
`drivers` (whose key is a UUID) may change at a VACUUM. Triggers keep it, so that bulk writes are searched too.
"""

from django.db import migrations

SQLITE = [
    "CREATE TABLE driver_search (id INTEGER PRIMARY KEY AUTOINCREMENT, driver_id CHAR(32) NOT NULL UNIQUE,"
    " text TEXT NOT NULL)",
    "CREATE VIRTUAL TABLE driver_search_fts USING fts5(text, content='driver_search', content_rowid='id',"
    " tokenize='trigram')",
    "INSERT INTO driver_search (driver_id, text) SELECT id, search_text FROM drivers ORDER BY id",
    "INSERT INTO driver_search_fts (driver_search_fts) VALUES ('rebuild')",
    """CREATE TRIGGER driver_search_fts_insert AFTER INSERT ON driver_search BEGIN
        INSERT INTO driver_search_fts (rowid, text) VALUES (new.id, new.text); END""",
    """CREATE TRIGGER driver_search_fts_delete AFTER DELETE ON driver_search BEGIN
        INSERT INTO driver_search_fts (driver_search_fts, rowid, text) VALUES ('delete', old.id, old.text); END""",
    """CREATE TRIGGER driver_search_fts_update AFTER UPDATE ON driver_search BEGIN
        INSERT INTO driver_search_fts (driver_search_fts, rowid, text) VALUES ('delete', old.id, old.text);
        INSERT INTO driver_search_fts (rowid, text) VALUES (new.id, new.text); END""",
    """CREATE TRIGGER driver_search_insert AFTER INSERT ON drivers BEGIN
        INSERT INTO driver_search (driver_id, text) VALUES (new.id, new.search_text); END""",
    """CREATE TRIGGER driver_search_update AFTER UPDATE ON drivers
        WHEN old.search_text IS NOT new.search_text BEGIN
        UPDATE driver_search SET text = new.search_text WHERE driver_id = new.id; END""",
    """CREATE TRIGGER driver_search_delete AFTER DELETE ON drivers BEGIN
        DELETE FROM driver_search WHERE driver_id = old.id; END""",
]
SQLITE_BACK = [
    "DROP TRIGGER driver_search_insert",
    "DROP TRIGGER driver_search_update",
    "DROP TRIGGER driver_search_delete",
    "DROP TABLE driver_search",
    "DROP TABLE driver_search_fts",
]
POSTGRESQL = [
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX driver_search_trigrams ON drivers USING gin (search_text gin_trgm_ops)",
    "CREATE INDEX driver_name_prefix ON drivers (name_key varchar_pattern_ops)",
]
POSTGRESQL_BACK = ["DROP INDEX driver_search_trigrams", "DROP INDEX driver_name_prefix"]


def _run(schema_editor, sqlite, postgresql):
    for statement in sqlite if schema_editor.connection.vendor == "sqlite" else postgresql:
        schema_editor.execute(statement)


def forward(apps, schema_editor):
    _run(schema_editor, SQLITE, POSTGRESQL)


def back(apps, schema_editor):
    _run(schema_editor, SQLITE_BACK, POSTGRESQL_BACK)


class Migration(migrations.Migration):
    dependencies = [("drivers", "0001_drivers")]

    operations = [migrations.RunPython(forward, back)]
