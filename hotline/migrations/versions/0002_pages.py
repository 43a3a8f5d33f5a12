"""The tables of the pages: sessions and the audit log; what an agent notes of a call; what recordings are found by."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=False, server_default=sa.text("''"))


def upgrade() -> None:
    op.create_table(
        "web_sessions",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("user", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("csrf", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_web_sessions")),
        sa.UniqueConstraint("hash", name=op.f("uq_web_sessions_hash")),
    )
    op.create_index(op.f("ix_web_sessions_user"), "web_sessions", ["user"])
    op.create_table(
        "audit",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.Column("what", sa.String(length=64), nullable=False),
        sa.Column("about", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_at_id"), "audit", ["at", "id"])
    op.create_index(op.f("ix_audit_about"), "audit", ["about"])
    op.create_table(
        "wrap_ups",
        sa.Column("call_id", sa.String(length=32), nullable=False),
        sa.Column("agent", sa.String(length=64), nullable=False),
        sa.Column("disposition", sa.String(length=64), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", "agent", name=op.f("pk_wrap_ups")),
    )
    with op.batch_alter_table("calls", schema=None) as batch_op:
        batch_op.add_column(_text("transferred_by", 64))
    with op.batch_alter_table("recordings", schema=None) as batch_op:
        for name, length in (("ani", 32), ("agent", 64), ("queue", 64), ("person", 200), ("person_folded", 200)):
            batch_op.add_column(_text(name, length))
    with op.batch_alter_table("interactions", schema=None) as batch_op:
        batch_op.add_column(_text("disposition", 64))
        batch_op.add_column(sa.Column("note", sa.Text(), nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    with op.batch_alter_table("interactions", schema=None) as batch_op:
        batch_op.drop_column("note")
        batch_op.drop_column("disposition")
    with op.batch_alter_table("recordings", schema=None) as batch_op:
        for name in ("person_folded", "person", "queue", "agent", "ani"):
            batch_op.drop_column(name)
    with op.batch_alter_table("calls", schema=None) as batch_op:
        batch_op.drop_column("transferred_by")
    op.drop_table("wrap_ups")
    op.drop_table("audit")
    op.drop_table("web_sessions")
