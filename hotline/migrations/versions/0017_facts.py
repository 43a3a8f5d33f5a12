"""Orders, payments, visits, needs and answers to surveys; the newest entry of each channel by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0017_facts"
down_revision = "0016_hours"
branch_labels = None
depends_on = None

CHANNELS = "ix_interactions_customer_id_channel_occurred_at_id"


def upgrade() -> None:
    op.create_table(
        "customer_facts",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("customer_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("said", sa.JSON(), nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.Column("first_at", sa.Double(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_customer_facts_customer_id_customers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_facts")),
        sa.UniqueConstraint("customer_id", "kind", "key", name=op.f("uq_customer_facts_customer_id_kind_key")),
    )
    op.create_index(op.f("ix_customer_facts_customer_id_at"), "customer_facts", ["customer_id", "at"])
    op.create_table(
        "fact_statements",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("customer_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("said", sa.JSON(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("origin", sa.String(length=80), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_fact_statements_customer_id_customers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fact_statements")),
    )
    op.create_index(op.f("ix_fact_statements_customer_id_kind_key"), "fact_statements", ["customer_id", "kind", "key"])
    op.create_index(op.f("ix_fact_statements_origin"), "fact_statements", ["origin"])
    op.create_index(op.f(CHANNELS), "interactions", ["customer_id", "channel", "occurred_at", "id"])


def downgrade() -> None:
    op.drop_index(op.f(CHANNELS), table_name="interactions")
    op.drop_table("fact_statements")
    op.drop_table("customer_facts")
