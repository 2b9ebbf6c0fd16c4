"""Databases as an older version of Waymark left them."""

from collections.abc import Sequence

from sqlalchemy import Connection

from tracking import schema
from tracking.database import Database
from tracking.settings import Settings


async def make_database(settings: Settings, revision: str, statements: Sequence[str]) -> Database:
    """Makes one with the schema of this revision, and fills it. To be migrated, and closed."""

    def upgrade(connection: Connection) -> None:
        schema.upgrade(connection, revision)

    settings.database_path.touch()
    database = Database.of(settings)
    async with database.write() as connection:
        await connection.run_sync(upgrade)
        for statement in statements:
            await connection.exec_driver_sql(statement)
    return database
