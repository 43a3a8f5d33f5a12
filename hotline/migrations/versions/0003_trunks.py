"""Calls that go out, and the trunk that a call came or went by."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("calls", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("direction", sa.String(length=8), nullable=False, server_default=sa.text("'inbound'"))
        )
        batch_op.add_column(sa.Column("trunk", sa.String(length=64), nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    with op.batch_alter_table("calls", schema=None) as batch_op:
        batch_op.drop_column("trunk")
        batch_op.drop_column("direction")
