"""Who calls, among a million: `hotline bench lookup`.

A database made by the migrations is filled with n interactions of n / 10 customers, in the order in which they would
have happened, so that one customer's are far apart in the file; each has a number and a Zalo id, every third an open
case, two orders, a survey, a wish and a birthday. Then callers are looked up as the server does it
(`crm_bridge.context.find_known`), one after another, each in a transaction of its own, with numbers in five spellings
of customers drawn at random. Begin and end are in the figures.

Cases: `sqlite`, a file in a temporary folder, and `postgresql`, a cluster made for it, with the settings that it comes
with. Both are read through a warm page cache where the memory suffices.
"""

import asyncio
import contextlib
import importlib.util
import os
import pwd
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import text

from bench.media import verdict
from crm_bridge import context, identity
from hotline import database

CASES: Final = ("sqlite", "postgresql")
INTERACTIONS: Final = 10_000_000
OF_EACH: Final = 10
SECONDS: Final = 20.0
WARM_UP: Final = 500
SPREAD: Final = 7_368_787
"""A prime: the customers of consecutive interactions are far apart."""
FIRST_AT: Final = 1_600_000_000
EVERY_S: Final = 15
TARGET_P99_MS: Final = 5.0
PROGRAMS: Final = "/usr/lib/postgresql"
BATCH: Final = 500_000
NOW: Final = FIRST_AT + 86_400.0

FACTS: Final = (
    ("order", "7", '{"state": "shipped", "amount": "1250000", "currency": "VND", "items": 2, "products": ["tea"]}'),
    ("order", "8", '{"state": "delivered", "amount": "99000", "currency": "VND", "items": 1, "products": ["cup"]}'),
    ("survey", "s", '{"kind": "csat", "score": 4, "of": 5}'),
    ("need", "kettle", '{"what": "kettle"}'),
    ("profile", "self", '{"birthday": "1990-05-17", "preferred_channel": "zalo"}'),
)
"""What is known of each customer: kind, key and fields."""
ORDERS: Final = sum(kind == "order" for kind, _, _ in FACTS)
HEX: Final = {"sqlite": "printf('%032x', {})", "postgresql": "lpad(to_hex({}), 32, '0')"}
ROWS: Final = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last)",
    "postgresql": "WITH n AS (SELECT i FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS i)",
}
INDEXES: Final = {
    "ix_interactions_customer_id_occurred_at_id": "customer_id, occurred_at, id",
    "ix_interactions_customer_id_channel_occurred_at_id": "customer_id, channel, occurred_at, id",
}


def run(case: str | None = None, n: int | None = None, seconds: float | None = None) -> list[dict[str, object]]:
    """Measure both databases, or one. Raises `ValueError` for an unknown case, `RuntimeError` without a server."""
    if case is not None and case not in CASES:
        raise ValueError(f"there is no case {case!r}; there are {', '.join(CASES)}")
    interactions = max(n or INTERACTIONS, OF_EACH)
    wanted = [case] if case else CASES
    if "postgresql" in wanted:
        _look_for_postgresql()
    rows = []
    for each in wanted:
        with tempfile.TemporaryDirectory(prefix="hotline-lookup-") as folder, _server(each, Path(folder)) as url:
            rows.append(asyncio.run(_measure(each, url, interactions, seconds or SECONDS)))
    return rows


def verdicts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say which targets are met."""
    target = f"at most {TARGET_P99_MS:g} ms for a look-up (p99)"
    return [verdict(f"{row['case']} {row['n']}: {target}", row["lookup_p99_ms"], TARGET_P99_MS) for row in rows]


# ------------------------------------------------------------------------------------------------------- the databases


def _programs() -> list[Path]:
    return sorted(Path(PROGRAMS).glob("*/bin/initdb"))


def _look_for_postgresql() -> None:
    """Raise `RuntimeError` before anything is filled, not after."""
    if not _programs():
        raise RuntimeError("PostgreSQL is not installed: apt-get install postgresql; --case sqlite goes without")
    if importlib.util.find_spec("asyncpg") is None:
        raise RuntimeError("asyncpg is not installed: pip install asyncpg; --case sqlite goes without")


@contextlib.contextmanager
def _server(case: str, folder: Path) -> Iterator[str]:
    """The address of an empty database."""
    if case == "sqlite":
        yield f"sqlite:///{folder}/hotline.db"
        return
    bin_ = _programs()[-1].parent
    as_another: dict[str, Any] = {}
    if os.geteuid() == 0:  # which the server refuses to run as
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        as_another = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def run_program(*command: str | Path) -> None:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **as_another)  # noqa: S603
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {done.stderr.strip()[-500:]}")

    data = folder / "data"
    run_program(bin_ / "initdb", "-D", data, "-U", "hotline", "-A", "trust", "-E", "UTF8")
    control = (bin_ / "pg_ctl", "-D", data, "-w")
    run_program(*control, "-l", folder / "log", "-o", f"-k {folder} -c listen_addresses=", "start")
    try:
        yield f"postgresql://hotline@/postgres?host={folder}"
    finally:
        run_program(*control, "-m", "immediate", "stop")


async def _fill(case: str, url: str, interactions: int) -> None:
    customers = interactions // OF_EACH
    engine = database.open_engine(url, foreign_keys=False)

    async def insert(name: str, rows: int, columns: str, values: str) -> None:
        for first in range(0, rows, BATCH):
            last = min(first + BATCH, rows) - 1
            statement = f"INSERT INTO {name} ({columns}) {ROWS[case]} SELECT {values} FROM n"  # noqa: S608 - our own words
            if case == "sqlite":
                statement = f"{ROWS[case]} INSERT INTO {name} ({columns}) SELECT {values} FROM n"  # noqa: S608
            async with engine.begin() as connection:
                await connection.execute(text(statement), {"first": first, "last": last})
            _tell(f"{case}: {name}, {last + 1:,} of {rows:,}")

    hex_ = HEX[case].format
    json = "'{}'" if case == "sqlite" else "CAST('{}' AS json)"
    tags = "'[]'" if case == "sqlite" else "CAST('[]' AS json)"
    who = f"(i * {SPREAD}) % {customers}"
    async with engine.begin() as connection:
        for index in INDEXES:  # made at once at the end: much faster
            await connection.execute(text(f"DROP INDEX {index}"))
    await insert(
        "customers",
        customers,
        "id, name, name_folded, language, tags, created_at, updated_at",
        f"{hex_('i')}, 'Customer ' || i, 'customer ' || i, 'vi', {tags}, {FIRST_AT}, {FIRST_AT}",
    )
    for kind, value, offset in (("phone", f"'+84' || ({_FIRST_NUMBER} + i)", 0), ("zalo", "'zalo-' || i", customers)):
        await insert(
            "identities",
            customers,
            "id, customer_id, kind, value, assurance, source, evidence, confidence, created_at",
            f"{hex_(f'i + {offset}')}, {hex_('i')}, '{kind}', {value}, 1, 'call', '', 1.0, {FIRST_AT}",
        )
    await insert(
        "cases",
        customers // 3,
        "id, customer_id, subject, topic, state, channel, opened_at",
        f"{hex_('i')}, {hex_('i * 3')}, 'Order ' || i, 'your order', 'open', 'email', {FIRST_AT}",
    )
    for number, (kind, key, said) in enumerate(FACTS):
        words = f"CAST('{said}' AS json)" if case == "postgresql" else f"'{said}'"
        nothing = "CAST('{}' AS json)" if case == "postgresql" else "'{}'"
        await insert(
            "customer_facts",
            customers,
            "id, customer_id, kind, key, said, told, first_at, at, channel",
            f"{hex_(f'i + {number * customers}')}, {hex_('i')}, '{kind}', '{key}', {words}, {nothing}, "
            f"{FIRST_AT}, {FIRST_AT}, 'shop'",
        )
    channel = (
        "CASE i % 5 WHEN 0 THEN 'zalo' WHEN 1 THEN 'facebook' WHEN 2 THEN 'email' WHEN 3 THEN 'form' ELSE 'call' END"
    )
    await insert(
        "interactions",
        interactions,
        "id, customer_id, channel, direction, occurred_at, subject, text, transcript, external_id, attributes, "
        "outcome, created_at",
        f"{hex_('i')}, {hex_(who)}, {channel}, 'inbound', {FIRST_AT} + i * {EVERY_S}, 'About order ' || i, "
        f"'I ordered ' || i || ' and have not heard of it since. Could you please look where it is, and write to me?', "
        f"'', {hex_('i')}, {json}, {json}, {FIRST_AT} + i * {EVERY_S}",
    )
    async with engine.begin() as connection:
        for index, columns in INDEXES.items():
            await connection.execute(text(f"CREATE INDEX {index} ON interactions ({columns})"))
    async with engine.connect() as connection:
        plain = await connection.execution_options(isolation_level="AUTOCOMMIT")
        for statement in ("ANALYZE",) if case == "sqlite" else ("VACUUM ANALYZE", "CHECKPOINT"):
            await plain.execute(text(statement))
    await engine.dispose()


_FIRST_NUMBER: Final = 910_000_000


def _spelt(customer: int, spelling: int) -> str:
    rest = str(_FIRST_NUMBER + customer)
    return (
        f"0{rest}",
        f"84{rest}",
        f"+84 {rest[:3]} {rest[3:6]} {rest[6:]}",
        f"0084{rest}",
        f"0{rest[:3]}.{rest[3:]}",
    )[spelling % 5]


# --------------------------------------------------------------------------------------------------------- measuring


async def _measure(case: str, url: str, interactions: int, seconds: float) -> dict[str, object]:
    await database.upgrade(url)
    began = time.monotonic()
    await _fill(case, url, interactions)
    filled_s = time.monotonic() - began
    customers = interactions // OF_EACH
    dice = random.Random(customers)  # noqa: S311 - no secret
    engine = database.open_engine(url)
    sessions = database.session_factory(engine)
    taken: list[float] = []
    until, count = 0.0, 0
    while count < WARM_UP or time.monotonic() < until:
        number = _spelt(dice.randrange(customers), count)
        start = time.perf_counter()
        async with sessions() as session:
            await session.connection(execution_options={"read_only": True})
            found = await context.find_known(session, identity.phone(number), NOW)
        taken.append(time.perf_counter() - start)
        if found is None or len(found.last_interactions) != OF_EACH or len(found.orders) != ORDERS:
            raise RuntimeError(f"the look-up of {number} found less than there is")
        count += 1
        if count == WARM_UP:
            until = time.monotonic() + seconds
    size = await _size(case, engine)
    await engine.dispose()
    measured = np.array(taken[WARM_UP:]) * 1000
    return {
        "case": case,
        "n": interactions,
        "customers": customers,
        "lookups": len(measured),
        "lookup_p50_ms": round(float(np.percentile(measured, 50)), 2),
        "lookup_p99_ms": round(float(np.percentile(measured, 99)), 2),
        "database_mb": round(size / 2**20),
        "fill_s": round(filled_s),
    }


async def _size(case: str, engine: database.AsyncEngine) -> int:
    async with engine.connect() as connection:
        if case == "sqlite":
            pages, size = [
                (await connection.execute(text(f"PRAGMA {each}"))).scalar_one() for each in ("page_count", "page_size")
            ]
            return int(pages * size)
        return int((await connection.execute(text("SELECT pg_database_size(current_database())"))).scalar_one())


def _tell(what: str) -> None:
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        sys.stderr.write(f"\r{what[: width - 1]:{width - 1}}")
