"""A migrated SQLite database, made once: to go through every migration costs each test that wants one a second."""

import asyncio
import functools
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy.engine import make_url

from hotline import database


def migrate(url: str) -> None:
    """Put a migrated database where a URL of SQLite says, unless there is one already."""
    path = Path(make_url(url).database or "")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        path.write_bytes(_migrated())


@functools.cache
def _migrated() -> bytes:
    # In a thread, where no loop runs: whoever asks may have one.
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
        path = Path(folder) / "hotline.db"
        pool.submit(lambda: asyncio.run(database.upgrade(f"sqlite:///{path}"))).result()
        return path.read_bytes()
