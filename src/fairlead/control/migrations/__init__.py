"""The history of the database's schema, as alembic scripts in `versions/`.

`HEAD` repeats the newest script's name so that a start with nothing to migrate does not import alembic; a test
holds the two together.
"""

HEAD = "0001"
