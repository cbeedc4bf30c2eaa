"""SFTP: keys of accounts and of our server, habits and deleted results of accounts, drops on other servers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    op.create_table(
        "ssh_keys",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_ssh_keys_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ssh_keys")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_ssh_keys_fingerprint")),
    )
    op.create_index("ix_ssh_keys_account_id", "ssh_keys", ["account_id"], unique=False)
    op.create_table(
        "ssh_host_keys",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_ssh_host_keys")),
    )
    op.create_table(
        "drop_boxes",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("waits_for_marker", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_drop_boxes_account_id_accounts")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_drop_boxes")),
    )
    op.create_table(
        "hidden_results",
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_hidden_results_batch_id_batches")),
        sa.PrimaryKeyConstraint("batch_id", "file", name=op.f("pk_hidden_results")),
    )
    op.create_table(
        "drops",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("host_key", sa.Text(), nullable=False),
        sa.Column("key_file", sa.Text(), nullable=False),
        sa.Column("folders", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("pattern", sa.Text(), nullable=False),
        sa.Column("settle_seconds", sa.Integer(), nullable=False),
        sa.Column("marker", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.Column("token", sa.Text(), server_default=sa.text("left(md5(gen_random_uuid()::text), 8)"), nullable=False),
        sa.Column("polled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint("state IN ('active', 'paused')", name=op.f("ck_drops_state")),
        sa.CheckConstraint("settle_seconds >= 0", name=op.f("ck_drops_settle_seconds")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_drops_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drops")),
        sa.UniqueConstraint("name", name=op.f("uq_drops_name")),
    )
    op.create_table(
        "drop_files",
        sa.Column("drop_id", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("mtime", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="seen", nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint("state IN ('seen', 'taken', 'refused')", name=op.f("ck_drop_files_state")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_drop_files_batch_id_batches")),
        sa.ForeignKeyConstraint(
            ["drop_id"], ["drops.id"], name=op.f("fk_drop_files_drop_id_drops"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("drop_id", "path", "mtime", "size", name=op.f("pk_drop_files")),
    )


def downgrade() -> None:
    """Take the schema back."""
    for table in ("drop_files", "drops", "hidden_results", "drop_boxes", "ssh_host_keys", "ssh_keys"):
        op.drop_table(table)
