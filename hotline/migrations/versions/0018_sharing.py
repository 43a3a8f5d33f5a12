"""Identities that several people use, who else uses them, and how often somebody tried to prove who they are."""

import sqlalchemy as sa
from alembic import op

revision = "0018_sharing"
down_revision = "0017_facts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("identities", sa.Column("shared_at", sa.Double(), nullable=True))
    op.create_table(
        "identity_users",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        sa.Column("customer_id", sa.String(length=32), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("evidence", sa.String(length=500), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_identity_users_customer_id_customers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_users")),
        sa.UniqueConstraint("kind", "value", "customer_id", name=op.f("uq_identity_users_kind_value_customer_id")),
    )
    op.create_index(op.f("ix_identity_users_customer_id"), "identity_users", ["customer_id"])
    op.create_table(
        "verification_attempts",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("mark", sa.String(length=64), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verification_attempts")),
    )
    op.create_index(op.f("ix_verification_attempts_mark_at"), "verification_attempts", ["mark", "at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_verification_attempts_mark_at"), table_name="verification_attempts")
    op.drop_table("verification_attempts")
    op.drop_index(op.f("ix_identity_users_customer_id"), table_name="identity_users")
    op.drop_table("identity_users")
    with op.batch_alter_table("identities") as batch_op:
        batch_op.drop_column("shared_at")
