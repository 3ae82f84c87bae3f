"""The history of the database's schema: what turns a file of one version into the next, oldest first.

A file's version (SQLite's `user_version`) is the number of steps it has seen. A step that was released is never
edited; a change of the schema is another step at the end.
"""

STEPS: tuple[tuple[str, ...], ...] = (
    # `IF NOT EXISTS`, because files were first made by alembic, which kept its own version in a table.
    (
        'CREATE TABLE IF NOT EXISTS objects ("group" TEXT NOT NULL, plural TEXT NOT NULL, namespace TEXT NOT NULL, '
        'name TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY ("group", plural, namespace, name))',
        "CREATE TABLE IF NOT EXISTS counters (name TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (name))",
        "DROP TABLE IF EXISTS alembic_version",
    ),
)
