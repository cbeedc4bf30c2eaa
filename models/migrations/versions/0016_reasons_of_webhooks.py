"""Why a webhook was disabled, and why a delivery was given up, in both languages; mails that failed by address."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

DAYS = r"^Nothing has arrived there for (\d+) days\.$"


def upgrade() -> None:
    """Bring the schema here."""
    op.add_column("webhook_endpoints", sa.Column("cause", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.execute(
        "UPDATE webhook_endpoints SET cause = CASE WHEN reason = 'It answered 410 Gone.'"
        " THEN jsonb_build_object('code', 'gone', 'en', reason, 'it', 'Ha risposto 410 Gone.')"
        f" WHEN reason ~ '{DAYS}' THEN jsonb_build_object('code', 'failing', 'en', reason,"
        f" 'it', regexp_replace(reason, '{DAYS}', 'Da \\1 giorni non vi arriva nulla.')) END"
        " WHERE reason IS NOT NULL"
    )
    op.add_column("deliveries", sa.Column("reason", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.create_index(
        "ix_deliveries_failed_mails",
        "deliveries",
        [sa.text("lower(address)")],
        postgresql_where=sa.text("state = 'failed' AND address IS NOT NULL"),
    )


def downgrade() -> None:
    """Take the schema back."""
    op.drop_index("ix_deliveries_failed_mails", "deliveries")
    op.drop_column("deliveries", "reason")
    op.drop_column("webhook_endpoints", "cause")
