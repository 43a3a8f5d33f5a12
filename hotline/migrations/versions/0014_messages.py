"""The outbox of messages to people."""

import sqlalchemy as sa
from alembic import op

revision = "0014_messages"
down_revision = "0013_privacy"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outgoing_messages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("interaction_id", sa.String(length=32), nullable=False),
        sa.Column("endpoint", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.String(length=32), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.Double(), nullable=False),
        sa.Column("error", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_messages")),
        sa.UniqueConstraint("interaction_id", name=op.f("uq_outgoing_messages_interaction_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_outgoing_messages_endpoint_state_next_at"), "outgoing_messages", ["endpoint", "state", "next_at"]
    )
    op.create_index(
        op.f("ix_outgoing_messages_endpoint_customer_id_state_id"),
        "outgoing_messages",
        ["endpoint", "customer_id", "state", "id"],
    )


def downgrade() -> None:
    op.drop_table("outgoing_messages")
