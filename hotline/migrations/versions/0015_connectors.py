"""What CRMs said last is kept for when they do not answer."""

import sqlalchemy as sa
from alembic import op

revision = "0015_connectors"
down_revision = "0014_messages"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "connector_cache",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("found", sa.JSON(), nullable=False),
        sa.Column("as_of", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "key", name=op.f("pk_connector_cache")),
    )
    op.create_index(op.f("ix_connector_cache_as_of"), "connector_cache", ["as_of"])


def downgrade() -> None:
    op.drop_index(op.f("ix_connector_cache_as_of"), table_name="connector_cache")
    op.drop_table("connector_cache")
