"""Run by alembic. The caller hands its open connection in, so a migration joins its transaction and its lock."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=False)
context.run_migrations()
