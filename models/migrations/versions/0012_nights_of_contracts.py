"""A night is remembered of a contract with all its lines, and of a line only where it had one of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    op.add_column("reconciliations", sa.Column("contract_id", sa.BigInteger(), nullable=True))
    op.execute("UPDATE reconciliations r SET contract_id = n.contract_id FROM contract_lines n WHERE n.id = r.line_id")
    op.alter_column("reconciliations", "contract_id", nullable=False)
    op.alter_column("reconciliations", "line_id", server_default=sa.text("0"))
    op.drop_constraint(op.f("pk_reconciliations"), "reconciliations")
    op.create_primary_key(op.f("pk_reconciliations"), "reconciliations", ["contract_id", "line_id"])


def downgrade() -> None:
    """Take it back: lines whose contract was reconciled as a whole are read again."""
    op.execute("DELETE FROM reconciliations WHERE line_id = 0")
    op.drop_constraint(op.f("pk_reconciliations"), "reconciliations")
    op.create_primary_key(op.f("pk_reconciliations"), "reconciliations", ["line_id"])
    op.alter_column("reconciliations", "line_id", server_default=None)
    op.drop_column("reconciliations", "contract_id")
