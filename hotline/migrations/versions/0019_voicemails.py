"""Messages that callers left, and the kind of a recording."""

import sqlalchemy as sa
from alembic import op

revision = "0019_voicemails"
down_revision = "0018_sharing"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "recordings", sa.Column("kind", sa.String(length=16), nullable=False, server_default=sa.text("'talk'"))
    )
    op.create_table(
        "voicemails",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("call_id", sa.String(length=32), nullable=False),
        sa.Column("queue", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.String(length=32), nullable=True),
        sa.Column("ani", sa.String(length=32), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("left_at", sa.Double(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("done_at", sa.Double(), nullable=True),
        sa.Column("done_by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voicemails")),
    )
    op.create_index(op.f("ix_voicemails_left_at_id"), "voicemails", ["left_at", "id"])
    op.create_index(op.f("ix_voicemails_customer_id"), "voicemails", ["customer_id"])
    op.create_index(op.f("ix_voicemails_call_id"), "voicemails", ["call_id"])


def downgrade() -> None:
    op.drop_table("voicemails")
    with op.batch_alter_table("recordings") as table:
        table.drop_column("kind")
