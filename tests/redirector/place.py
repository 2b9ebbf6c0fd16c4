"""A data directory with a database, and the commands on it."""

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from typer.testing import CliRunner

import redirector.commands.cli  # noqa: F401 - it adds its commands to the app
from tracking import campaigns
from tracking.cli import app
from tracking.database import Database
from tracking.organizers import find_event
from tracking.settings import Settings


@dataclass
class Place:
    """A data directory, and the commands on it."""

    directory: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def backup(self) -> Path:
        """Where the backup is, beside the directory."""
        return self.directory / "kept" / "waymark.backup"

    @property
    def data(self) -> Path:
        """DATA_DIR."""
        return self.directory / "var"

    @property
    def file(self) -> Path:
        """The database."""
        return self.data / "waymark.db"

    def settings(self) -> Settings:
        """What the processes are set to."""
        return Settings(data_dir=self.data, redis_url=self.environment.get("REDIS_URL"))

    def database(self) -> Database:
        """The database, as a service uses it."""
        return Database.of(self.settings())

    def waymark(self, *arguments: str) -> tuple[int, str]:
        """Runs a command as `waymark` does, on a thread; its status, and all that it said."""
        unset = dict.fromkeys(map(str.upper, Settings.model_fields))
        environment = {**unset, "DATA_DIR": str(self.data), **self.environment}
        umask = os.umask(0o077)
        try:
            with ThreadPoolExecutor(1) as thread:
                done = thread.submit(CliRunner().invoke, app, arguments, env=environment).result()
        finally:
            os.umask(umask)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.output

    def backed_up(self) -> str:
        """Makes the backup; what that said."""
        self.backup.parent.mkdir(exist_ok=True)
        status, said = self.waymark("backup", str(self.backup))
        assert status == 0, said
        return said

    def restored(self) -> str:
        """Restores the backup; what that said."""
        status, said = self.waymark("restore", str(self.backup))
        assert status == 0, said
        return said

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        """What another program reads or writes in the database."""
        with closing(sqlite3.connect(self.file)) as connection, connection:
            return connection.execute(statement).fetchall()

    def counts(self) -> dict[str, int]:
        """`click_count` by code."""
        rows = self.sql("SELECT code, click_count FROM campaigns")
        return {str(code): int(str(count)) for code, count in rows}


async def create_campaign(place: Place, code: str) -> int:
    """Makes a campaign; its id."""
    database = place.database()
    async with database.write() as connection:
        event = await find_event(connection, "acme", "summer")
        assert event is not None
        made = await campaigns.create(connection, event.id, description=code, code=code)
    await database.close()
    return made.id
