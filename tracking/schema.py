"""The database's schema: which one it has, and the way to this version's."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from tracking.errors import SchemaError

MIGRATIONS = Path(__file__).with_name("migrations")


def revision(connection: Connection) -> str | None:
    """The schema's number; None where there is none."""
    return MigrationContext.configure(connection).get_current_revision()


def is_current(connection: Connection) -> bool:
    """Whether the schema is this version's.

    Raises:
        SchemaError: it is a newer one's.
    """
    found = revision(connection)
    check(found)
    return found == _scripts().get_current_head()


def check(found: str | None) -> None:
    """Makes sure that this version knows the schema.

    Raises:
        SchemaError: it does not.
    """
    known = {migration.revision for migration in _scripts().walk_revisions()}
    if found is not None and found not in known:
        raise SchemaError(f"the database's schema {found} is newer than this version of Waymark")


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Brings the schema up to a revision, this version's where none is named.

    It does so in the transaction that is under way.
    """
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
