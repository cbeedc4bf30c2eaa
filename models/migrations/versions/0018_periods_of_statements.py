"""A night's statements lie side by side in the index of periods: a tenth less to write."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def _create(columns: list[str | sa.TextClause]) -> None:
    op.drop_index("uq_statements_period", table_name="statements")
    where = sa.text("state <> 'adjusted'")
    op.create_index("uq_statements_period", "statements", columns, unique=True, postgresql_where=where)


def upgrade() -> None:
    """Bring the schema here."""
    _create(["period_starts", "line_id"])


def downgrade() -> None:
    """Take the schema back."""
    _create(["line_id", "period_starts"])
