"""What Alembic does to the tables, on an open connection. `hotline.database` alone imports this, and only when there is
something to do: Alembic takes a tenth of a second to import, and most starts find the newest tables there."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection


class UnknownRevision(Exception):
    """The database is at a revision that is none of ours."""


def upgrade(connection: Connection, revision: str) -> None:
    """Bring the tables up to a revision. Raises `UnknownRevision`."""
    try:
        command.upgrade(_config(connection), revision)
    except CommandError as error:
        raise UnknownRevision(str(error)) from error


def downgrade(connection: Connection, revision: str) -> None:
    """Bring the tables down to a revision. Raises `UnknownRevision`."""
    try:
        command.downgrade(_config(connection), revision)
    except CommandError as error:
        raise UnknownRevision(str(error)) from error


def draft(connection: Connection, message: str) -> None:
    """Write a new migration: what brings this database to the tables."""
    command.revision(_config(connection), message, autogenerate=True)


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
