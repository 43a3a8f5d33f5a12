"""A recording says when it was paused."""

import sqlalchemy as sa
from alembic import op

revision = "0005_pauses"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recordings", sa.Column("pauses", sa.JSON(), nullable=False, server_default=sa.text("'[]'")))


def downgrade() -> None:
    with op.batch_alter_table("recordings") as table:
        table.drop_column("pauses")
