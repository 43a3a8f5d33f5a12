"""What customers told is remembered, and calls say what they asked again."""

import sqlalchemy as sa
from alembic import op

revision = "0011_fields"
down_revision = "0010_mail"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "customer_fields",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("customer_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(length=500), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_customer_fields_customer_id_customers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_fields")),
        sa.UniqueConstraint("customer_id", "name", name=op.f("uq_customer_fields_customer_id_name")),
    )
    op.add_column("calls", sa.Column("asked_again", sa.JSON(), server_default=sa.text("'[]'"), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("calls") as batch_op:
        batch_op.drop_column("asked_again")
    op.drop_table("customer_fields")
