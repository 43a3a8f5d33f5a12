"""Imports of other systems' customers: what was read, whom it met, what it brought."""

import sqlalchemy as sa
from alembic import op

revision = "0012_imports"
down_revision = "0011_fields"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "imports",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("file", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("rows_read", sa.Integer(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("remarks", sa.JSON(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.Column("undone_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    op.create_index(op.f("ix_imports_key"), "imports", ["key"])
    op.create_index(op.f("ix_imports_started_at"), "imports", ["started_at"])
    op.create_table(
        "import_profiles",
        sa.Column("import_id", sa.String(length=32), nullable=False),
        sa.Column("customer_id", sa.String(length=32), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("created", sa.Boolean(), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("language", sa.String(length=32), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("through", sa.String(length=32), nullable=True),
        sa.Column("updated_was", sa.Double(), nullable=True),
        sa.Column("updated_to", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("import_id", "customer_id", name=op.f("pk_import_profiles")),
    )
    op.create_index(op.f("ix_import_profiles_through"), "import_profiles", ["through"])
    op.create_table(
        "import_identities",
        sa.Column("identity_id", sa.String(length=32), nullable=False),
        sa.Column("import_id", sa.String(length=32), nullable=False),
        sa.Column("customer_id", sa.String(length=32), nullable=False),
        sa.Column("through", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("identity_id", name=op.f("pk_import_identities")),
    )
    op.create_index(
        op.f("ix_import_identities_import_id_customer_id"), "import_identities", ["import_id", "customer_id"]
    )
    op.create_index(op.f("ix_import_identities_through"), "import_identities", ["through"])
    op.create_table(
        "import_notes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("import_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("column", sa.String(length=255), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("mend", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.String(length=32), nullable=True),
        sa.Column("other_id", sa.String(length=32), nullable=True),
        sa.Column("other_row", sa.Integer(), nullable=False),
        sa.Column("identity_id", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_notes")),
    )
    op.create_index(op.f("ix_import_notes_import_id_kind_id"), "import_notes", ["import_id", "kind", "id"])
    op.create_index(op.f("ix_import_notes_customer_id"), "import_notes", ["customer_id"])


def downgrade() -> None:
    op.drop_table("import_notes")
    op.drop_table("import_identities")
    op.drop_table("import_profiles")
    op.drop_table("imports")
