"""Profiles of one person are put together, taken apart and given back by events."""

import sqlalchemy as sa
from alembic import op

revision = "0007_links"
down_revision = "0006_gaps"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "customer_links",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("customer_id", sa.String(length=32), nullable=False),
        sa.Column("other_id", sa.String(length=32), nullable=True),
        sa.Column("undoes", sa.String(length=32), nullable=True),
        sa.Column("evidence", sa.String(length=500), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_customer_links_customer_id_customers")
        ),
        sa.ForeignKeyConstraint(["other_id"], ["customers.id"], name=op.f("fk_customer_links_other_id_customers")),
        sa.ForeignKeyConstraint(
            ["undoes"], ["customer_links.id"], name=op.f("fk_customer_links_undoes_customer_links")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_links")),
    )
    op.create_index(op.f("ix_customer_links_customer_id"), "customer_links", ["customer_id"])
    op.create_index(op.f("ix_customer_links_other_id"), "customer_links", ["other_id"])
    # NULL is a profile that is alone: no row is written anew, however many customers there are.
    op.add_column("customers", sa.Column("person_id", sa.String(length=32), nullable=True))
    op.create_index(op.f("ix_customers_person_id"), "customers", ["person_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_customers_person_id"), "customers")
    with op.batch_alter_table("customers") as table:
        table.drop_column("person_id")
    op.drop_table("customer_links")
