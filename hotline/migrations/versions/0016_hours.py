"""Emergency switches of opening hours."""

import sqlalchemy as sa
from alembic import op

revision = "0016_hours"
down_revision = "0015_connectors"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hours_switches",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("emergency", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_hours_switches")),
    )


def downgrade() -> None:
    op.drop_table("hours_switches")
