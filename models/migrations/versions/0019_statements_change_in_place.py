"""An open statement changes in its place, night by night: room for that, and no index of what changes but a summary."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    op.execute("ALTER TABLE statements SET (fillfactor = 50)")
    op.drop_index("ix_statements_batch_id", table_name="statements")
    kept = {"pages_per_range": 16}
    op.create_index("ix_statements_batch_id", "statements", ["batch_id"], postgresql_using="brin", postgresql_with=kept)


def downgrade() -> None:
    """Take the schema back."""
    op.drop_index("ix_statements_batch_id", table_name="statements")
    op.create_index("ix_statements_batch_id", "statements", ["batch_id"], unique=False)
    op.execute("ALTER TABLE statements RESET (fillfactor)")
