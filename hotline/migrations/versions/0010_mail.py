"""A folder of a mail server remembers how far it has been read."""

import sqlalchemy as sa
from alembic import op

revision = "0010_mail"
down_revision = "0009_webhooks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mail_folders",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("uid_validity", sa.BigInteger(), nullable=False),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_mail_folders")),
    )


def downgrade() -> None:
    op.drop_table("mail_folders")
