"""The history of the registry's schema, as alembic scripts in `versions/`, each both ways.

`HEAD` repeats the newest script's name so that a start with nothing to migrate does not import alembic; a test
holds the two together.
"""

HEAD = "0001"
