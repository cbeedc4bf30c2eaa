"""Rows whose effect was taken back; room on each page for a change of each license."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    op.create_table(
        "reversals",
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("by_batch_id", sa.BigInteger(), nullable=False),
        sa.Column("by_ordinal", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "ordinal", name=op.f("pk_reversals")),
    )
    op.create_index("ix_reversals_by_batch_id", "reversals", ["by_batch_id"], unique=False)
    op.execute("ALTER TABLE licenses SET (fillfactor = 50)")


def downgrade() -> None:
    """Take the schema back."""
    op.execute("ALTER TABLE licenses RESET (fillfactor)")
    op.drop_table("reversals")
