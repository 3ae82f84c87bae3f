"""Making and undoing migrations on a connection whose transaction is open. alembic, whose import takes 0.2 s, is asked
only when there is something to do."""

from pathlib import Path

import sqlalchemy as sa

from fairlead.errors import ConfigError
from fairlead.registry.db.migrations import HEAD

__all__ = ["HEAD", "migrate", "version"]

# Any number that no other program would take for its own lock of the same database.
_LOCK = 0x6661_6972_6C65_6164


def version(connection: sa.Connection) -> str:
    """The name of the last migration made; empty when there is none."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() or "")


def migrate(connection: sa.Connection, revision: str, name: str) -> None:
    """Go to `revision`, up or down. Of several at once one goes and the others wait: on PostgreSQL for a lock that ends
    with the transaction, on SQLite they have waited for the file's already."""
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    order = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    found = version(connection)
    if found and found not in order:
        raise ConfigError(
            f"{name}: written by a newer Fairlead (schema {found}, this one knows up to {HEAD}): upgrade Fairlead"
        )
    wanted = order[0] if revision == "head" else revision
    if found == wanted:
        return
    # The newest comes first in `order`; an empty database is older than all.
    is_older = not found or (wanted in order and order.index(wanted) < order.index(found))
    (command.upgrade if is_older else command.downgrade)(config, wanted)
