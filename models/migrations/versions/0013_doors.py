"""What an account sees of what leaves for it and of its way in; who a provider knows a user as; a batch's trace."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ROLE = "keymill_tenant"
ME = "(SELECT keymill_account())"
POLICIES = {
    "events": f"account_id = {ME}",
    "deliveries": "EXISTS (SELECT FROM events o WHERE o.id = event_id)",
    "webhook_endpoints": f"account_id = {ME}",
    "mail_subscriptions": f"account_id = {ME}",
    "ssh_keys": f"account_id = {ME}",
    "drop_boxes": f"account_id = {ME}",
    "hidden_results": "EXISTS (SELECT FROM batches o WHERE o.id = batch_id)",
}
# The vendor's own business, whoever it is about: nothing is granted, and no row would be seen if something were.
VENDORS = ("drops", "drop_files", "schedules", "schedule_runs")


def upgrade() -> None:
    """Bring the schema here."""
    op.add_column("users", sa.Column("openid_issuer", sa.Text(), nullable=True))
    op.add_column("users", sa.Column("openid_subject", sa.Text(), nullable=True))
    op.create_check_constraint(op.f("ck_users_openid"), "users", "(openid_issuer IS NULL) = (openid_subject IS NULL)")
    op.create_unique_constraint(
        op.f("uq_users_openid_issuer_openid_subject"), "users", ["openid_issuer", "openid_subject"]
    )
    op.add_column("batches", sa.Column("trace", sa.Text(), nullable=True))
    op.create_index("ix_events_at", "events", ["at"])
    for table, condition in POLICIES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} FOR SELECT TO {ROLE} USING ({condition})")
        op.execute(f"GRANT SELECT ON {table} TO {ROLE}")
    for table in VENDORS:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO {ROLE} USING (false)")


def downgrade() -> None:
    """Take the schema back."""
    for table in (*POLICIES, *VENDORS):
        op.execute(f"REVOKE ALL ON {table} FROM {ROLE}")
        op.execute(f"DROP POLICY tenant ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    op.drop_index("ix_events_at", "events")
    op.drop_column("batches", "trace")
    op.drop_constraint(op.f("uq_users_openid_issuer_openid_subject"), "users")
    op.drop_constraint(op.f("ck_users_openid"), "users", type_="check")
    op.drop_column("users", "openid_subject")
    op.drop_column("users", "openid_issuer")
