"""Reconciling a night: how far each line is reconciled, what came since, and a year of reports from a few pages."""

import sqlalchemy as sa
from alembic import op

from models.database import PgSnapshot, Xid8

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_CHANGING = ("usage_reports", "draw_downs", "commitments")


def upgrade() -> None:
    """Bring the schema here."""
    op.create_table(
        "reconciliations",
        sa.Column("line_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("seen", PgSnapshot(), nullable=False),
        sa.Column("cluster", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("line_id", name=op.f("pk_reconciliations")),
    )
    for table in _CHANGING:
        column = sa.Column("xact", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False)
        op.add_column(table, column)
    op.create_index("ix_usage_reports_xact", "usage_reports", ["xact"], unique=False)
    op.create_index("ix_draw_downs_xact", "draw_downs", ["xact"], unique=False)
    _index_current(include=["quantity"])
    op.drop_constraint(op.f("fk_statements_line_id_contract_lines"), "statements", type_="foreignkey")
    op.drop_index("ix_statements_line_id", table_name="statements")
    op.create_index("ix_statements_line_id", "statements", ["line_id", "period_starts"], unique=False)
    op.create_index("ix_statements_batch_id", "statements", ["batch_id"], unique=False)


def downgrade() -> None:
    """Take the schema back."""
    op.drop_index("ix_statements_batch_id", table_name="statements")
    op.drop_index("ix_statements_line_id", table_name="statements")
    op.create_index("ix_statements_line_id", "statements", ["line_id"], unique=False)
    op.create_foreign_key(
        op.f("fk_statements_line_id_contract_lines"), "statements", "contract_lines", ["line_id"], ["id"]
    )
    _index_current(include=None)
    for table in _CHANGING:
        op.drop_column(table, "xact")
    op.drop_table("reconciliations")


def _index_current(include: list[str] | None) -> None:
    op.drop_index("uq_usage_reports_current", table_name="usage_reports")
    op.create_index(
        "uq_usage_reports_current",
        "usage_reports",
        ["line_id", "day", "host_id"],
        unique=True,
        postgresql_where=sa.text("is_current"),
        postgresql_include=include,
    )
