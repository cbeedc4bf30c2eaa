"""What the portal remembers: titles mapped by hand, batches that wait for a second person, kinds that are paused."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ROLE = "keymill_tenant"
ME = "(SELECT keymill_account())"
POLICIES = {
    "header_mappings": f"account_id = {ME}",
    "approvals": "EXISTS (SELECT FROM batches o WHERE o.id = batch_id)",
}


def upgrade() -> None:
    """Bring the schema here."""
    op.add_column("accounts", sa.Column("approve_above", sa.Integer(), nullable=True))
    op.add_column(
        "accounts", sa.Column("approve_revoking", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_check_constraint(op.f("ck_accounts_approve_above"), "accounts", "approve_above >= 0")
    op.create_table(
        "header_mappings",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title_key", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_header_mappings_account_id_accounts")),
        sa.PrimaryKeyConstraint("account_id", "kind", "title_key", name=op.f("pk_header_mappings")),
    )
    op.create_table(
        "approvals",
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_approvals_batch_id_batches")),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_approvals")),
    )
    op.create_table(
        "paused_kinds",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("paused_by", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_paused_kinds")),
    )
    for table, condition in POLICIES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} FOR SELECT TO {ROLE} USING ({condition})")
        op.execute(f"GRANT SELECT ON {table} TO {ROLE}")


def downgrade() -> None:
    """Take the schema back."""
    op.drop_table("paused_kinds")
    op.drop_table("approvals")
    op.drop_table("header_mappings")
    op.drop_constraint(op.f("ck_accounts_approve_above"), "accounts", type_="check")
    op.drop_column("accounts", "approve_revoking")
    op.drop_column("accounts", "approve_above")
