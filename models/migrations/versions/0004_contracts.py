"""Flexible contracts: lines, what is committed from a day on, what is drawn and used, and statements."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    op.create_table(
        "contracts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state IN ('active', 'closed')", name=op.f("ck_contracts_state")),
        sa.ForeignKeyConstraint(["customer_id"], ["accounts.id"], name=op.f("fk_contracts_customer_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contracts")),
        sa.UniqueConstraint("key", name=op.f("uq_contracts_key")),
    )
    op.create_table(
        "contract_lines",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("contract_id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("starts", sa.Date(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("growth", sa.Numeric(precision=7, scale=3), nullable=False),
        sa.Column("tolerance", sa.Numeric(precision=7, scale=3), nullable=False),
        sa.Column("report_days", sa.Integer(), nullable=True),
        sa.CheckConstraint("metric IN ('peak', 'average')", name=op.f("ck_contract_lines_metric")),
        sa.CheckConstraint("policy IN ('true_up', 'true_forward', 'hard_stop')", name=op.f("ck_contract_lines_policy")),
        sa.CheckConstraint("unit IN ('month', 'quarter', 'year')", name=op.f("ck_contract_lines_unit")),
        sa.CheckConstraint("months > 0", name=op.f("ck_contract_lines_months")),
        sa.ForeignKeyConstraint(
            ["contract_id"], ["contracts.id"], name=op.f("fk_contract_lines_contract_id_contracts")
        ),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_contract_lines_product_id_products")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract_lines")),
        sa.UniqueConstraint("contract_id", "product_id", name=op.f("uq_contract_lines_contract_id_product_id")),
    )
    op.create_table(
        "commitments",
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("price", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_commitments_quantity")),
        sa.ForeignKeyConstraint(["line_id"], ["contract_lines.id"], name=op.f("fk_commitments_line_id_contract_lines")),
        sa.PrimaryKeyConstraint("line_id", "since", name=op.f("pk_commitments")),
    )
    op.create_table(
        "draw_downs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("license_number", sa.Text(collation="C"), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("cost_center", sa.Text(), nullable=True),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draw_downs")),
    )
    op.create_index("ix_draw_downs_line_id", "draw_downs", ["line_id", "day"], unique=False)
    op.create_index(
        "uq_draw_downs_reference",
        "draw_downs",
        ["line_id", "reference"],
        unique=True,
        postgresql_where=sa.text("reference IS NOT NULL"),
    )
    op.add_column("licenses", sa.Column("contract_line_id", sa.BigInteger(), nullable=True))
    op.create_table(
        "usage_reports",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("host_id", sa.Text(collation="C"), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("is_current", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_usage_reports_quantity")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_reports")),
    )
    op.create_index(
        "uq_usage_reports_current",
        "usage_reports",
        ["line_id", "day", "host_id"],
        unique=True,
        postgresql_where=sa.text("is_current"),
    )
    op.create_table(
        "statements",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("period_starts", sa.Date(), nullable=False),
        sa.Column("period_ends", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("committed", sa.Integer(), nullable=False),
        sa.Column("drawn", sa.Integer(), nullable=False),
        sa.Column("used", sa.Numeric(precision=18, scale=2), nullable=False),
        sa.Column("peak", sa.Integer(), nullable=False),
        sa.Column("peak_day", sa.Date(), nullable=True),
        sa.Column("over", sa.Numeric(precision=18, scale=2), nullable=False),
        sa.Column("unused", sa.Numeric(precision=18, scale=2), nullable=False),
        sa.Column("is_tolerated", sa.Boolean(), nullable=False),
        sa.Column("owed", sa.Numeric(precision=18, scale=2), nullable=False),
        sa.Column("owed_from", sa.Date(), nullable=True),
        sa.Column("missing_days", sa.Integer(), nullable=False),
        sa.Column("causes", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state IN ('open', 'closed', 'adjusted')", name=op.f("ck_statements_state")),
        sa.ForeignKeyConstraint(["line_id"], ["contract_lines.id"], name=op.f("fk_statements_line_id_contract_lines")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statements")),
    )
    op.create_index("ix_statements_line_id", "statements", ["line_id"], unique=False)
    op.create_index(
        "uq_statements_period",
        "statements",
        ["line_id", "period_starts"],
        unique=True,
        postgresql_where=sa.text("state <> 'adjusted'"),
    )


def downgrade() -> None:
    """Take the schema back."""
    op.drop_column("licenses", "contract_line_id")
    for table in ("statements", "usage_reports", "draw_downs", "commitments", "contract_lines", "contracts"):
        op.drop_table(table)
