"""A notification knows where the chain of its license begins, so that chains are locked without a look at licenses."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    op.add_column("notifications", sa.Column("root_number", sa.Text(collation="C"), nullable=True))
    op.execute(
        "UPDATE notifications n SET root_number = coalesce((SELECT coalesce(l.root_number, l.number) FROM licenses l"
        " WHERE l.number = n.license_number), n.license_number)"
    )
    op.alter_column("notifications", "root_number", nullable=False)


def downgrade() -> None:
    """Take the schema back."""
    op.drop_column("notifications", "root_number")
