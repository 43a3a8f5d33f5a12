"""A registration keeps the proxies on the way to its phone, and which device it is."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, length in (("path", 1200), ("device", 160)):
        op.add_column(
            "bindings", sa.Column(name, sa.String(length=length), nullable=False, server_default=sa.text("''"))
        )


def downgrade() -> None:
    with op.batch_alter_table("bindings") as table:
        table.drop_column("device")
        table.drop_column("path")
