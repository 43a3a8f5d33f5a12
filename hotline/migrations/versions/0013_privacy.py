"""Privacy: consents, legal holds, erasures and requests; links between profiles outlive the profiles."""

import sqlalchemy as sa
from alembic import op

revision = "0013_privacy"
down_revision = "0012_imports"
branch_labels = None
depends_on = None

LINKS = ("customer_id", "other_id")


def upgrade() -> None:
    op.create_table(
        "consents",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("customer_id", sa.String(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("notice", sa.Text(), nullable=False),
        sa.Column("notice_version", sa.String(length=64), nullable=False),
        sa.Column("call_id", sa.String(length=32), nullable=True),
        sa.Column("recording_id", sa.String(length=32), nullable=True),
        sa.Column("clip_from", sa.Double(), nullable=True),
        sa.Column("clip_until", sa.Double(), nullable=True),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_index(op.f("ix_consents_customer_id_purpose_at"), "consents", ["customer_id", "purpose", "at"])
    op.create_table(
        "legal_holds",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("customer_id", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("placed_at", sa.Double(), nullable=False),
        sa.Column("until", sa.Double(), nullable=True),
        sa.Column("released_at", sa.Double(), nullable=True),
        sa.Column("released_by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_holds")),
    )
    op.create_index(op.f("ix_legal_holds_customer_id"), "legal_holds", ["customer_id"])
    op.create_table(
        "erasures",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("profiles", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("requested_at", sa.Double(), nullable=False),
        sa.Column("done_at", sa.Double(), nullable=True),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("certificate", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    op.create_index(op.f("ix_erasures_state"), "erasures", ["state"])
    op.create_table(
        "erased_profiles",
        sa.Column("profile", sa.String(length=32), nullable=False),
        sa.Column("erasure_id", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("profile", name=op.f("pk_erased_profiles")),
    )
    op.create_table(
        "privacy_requests",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("customer_id", sa.String(length=32), nullable=True),
        sa.Column("received_at", sa.Double(), nullable=False),
        sa.Column("answer_due_at", sa.Double(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("answered_at", sa.Double(), nullable=True),
        sa.Column("done_at", sa.Double(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("done_by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_privacy_requests")),
    )
    op.create_index(op.f("ix_privacy_requests_customer_id"), "privacy_requests", ["customer_id"])
    op.create_index(op.f("ix_privacy_requests_outcome_due_at"), "privacy_requests", ["outcome", "due_at"])
    with op.batch_alter_table("customer_links") as table:
        for column in LINKS:
            table.drop_constraint(op.f(f"fk_customer_links_{column}_customers"), type_="foreignkey")


def downgrade() -> None:
    known = "(SELECT id FROM customers)"
    dangling = f"customer_id NOT IN {known} OR (other_id IS NOT NULL AND other_id NOT IN {known})"
    of_them = f"undoes IN (SELECT id FROM customer_links WHERE {dangling})"  # noqa: S608 - nothing of it comes from outside
    op.execute(f"DELETE FROM customer_links WHERE {dangling} OR {of_them}")  # noqa: S608
    with op.batch_alter_table("customer_links") as table:
        for column in LINKS:
            table.create_foreign_key(op.f(f"fk_customer_links_{column}_customers"), "customers", [column], ["id"])
    for name in ("privacy_requests", "erased_profiles", "erasures", "legal_holds", "consents"):
        op.drop_table(name)
