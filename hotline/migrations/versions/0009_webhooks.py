"""Webhooks: the outbox of events, and the endpoints that want none any more."""

import sqlalchemy as sa
from alembic import op

revision = "0009_webhooks"
down_revision = "0007_links"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "webhook_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("event_id", sa.String(length=40), nullable=False),
        sa.Column("endpoint", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.String(length=32), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.Double(), nullable=False),
        sa.Column("error", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_events")),
        sa.UniqueConstraint("event_id", "endpoint", name=op.f("uq_webhook_events_event_id_endpoint")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_webhook_events_endpoint_state_next_at"), "webhook_events", ["endpoint", "state", "next_at"]
    )
    op.create_index(
        op.f("ix_webhook_events_endpoint_customer_id_state_id"),
        "webhook_events",
        ["endpoint", "customer_id", "state", "id"],
    )
    op.create_table(
        "webhook_endpoints_disabled",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("cause", sa.String(length=200), nullable=False),
        sa.Column("disabled_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_webhook_endpoints_disabled")),
    )


def downgrade() -> None:
    op.drop_table("webhook_endpoints_disabled")
    op.drop_table("webhook_events")
