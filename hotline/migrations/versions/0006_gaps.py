"""A recording says of which times it has nothing, although the call went on."""

import sqlalchemy as sa
from alembic import op

revision = "0006_gaps"
down_revision = "0005_pauses"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recordings", sa.Column("gaps", sa.JSON(), nullable=False, server_default=sa.text("'[]'")))


def downgrade() -> None:
    with op.batch_alter_table("recordings") as table:
        table.drop_column("gaps")
