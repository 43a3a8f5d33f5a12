"""What every outbox is made of: things that are written before anybody outside is told of them."""

from sqlalchemy import BigInteger, Double, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

MAX_ERROR_LENGTH = 200


class Outgoing:
    """Something that goes to one endpoint. `id` is the order in which it was written, and never used again (SQLite
    needs `sqlite_autoincrement` for that).

    `customer_id` is whose order is kept, empty where nobody's is. `body` is what is sent. `next_at` counts while the
    state is `pending`, `finished_at` is when it was delivered or became dead.
    """

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    endpoint: Mapped[str] = mapped_column(String(64))
    customer_id: Mapped[str] = mapped_column(String(32))
    body: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))  # schedule.State
    attempts: Mapped[int] = mapped_column(Integer)
    next_at: Mapped[float] = mapped_column(Double)
    error: Mapped[str] = mapped_column(String(MAX_ERROR_LENGTH))
    created_at: Mapped[float] = mapped_column(Double)
    finished_at: Mapped[float | None] = mapped_column(Double)
