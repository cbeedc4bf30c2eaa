"""Fewer indexes on licenses: those that made one that replaces another dear (docs/decisions/0006-schema.md)."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    op.drop_index("ix_licenses_root_number", table_name="licenses")
    op.drop_index("ix_licenses_serial_id", table_name="licenses")
    op.create_index(
        "ix_licenses_serial_id",
        "licenses",
        ["serial_id"],
        postgresql_where=sa.text("serial_id IS NOT NULL AND cause IS NULL"),
    )
    op.create_index(
        "ix_licenses_voucher_id",
        "licenses",
        ["voucher_id"],
        unique=True,
        postgresql_where=sa.text("voucher_id IS NOT NULL"),
    )
    op.drop_constraint("uq_licenses_voucher_id", "licenses")


def downgrade() -> None:
    """Take the schema back."""
    op.create_unique_constraint("uq_licenses_voucher_id", "licenses", ["voucher_id"])
    op.drop_index("ix_licenses_voucher_id", table_name="licenses")
    op.drop_index("ix_licenses_serial_id", table_name="licenses")
    op.create_index(
        "ix_licenses_serial_id", "licenses", ["serial_id"], postgresql_where=sa.text("serial_id IS NOT NULL")
    )
    op.create_index(
        "ix_licenses_root_number", "licenses", ["root_number"], postgresql_where=sa.text("root_number IS NOT NULL")
    )
