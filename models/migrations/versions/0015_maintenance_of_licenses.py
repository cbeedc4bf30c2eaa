"""The maintenance of a license stands in its own row: it was always read, written and replaced together with it."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ROLE = "keymill_tenant"


def upgrade() -> None:
    """Bring the schema here."""
    for name, kind in (
        ("maintained_from", sa.Date()),
        ("maintained_until", sa.Date()),
        ("support_level", sa.Text()),
        ("support_contact", sa.Text()),
    ):
        op.add_column("licenses", sa.Column(name, kind, nullable=True))
    op.execute(
        "UPDATE licenses l SET maintained_from = m.starts, maintained_until = m.ends, support_level = m.level,"
        " support_contact = m.support_contact FROM maintenance m WHERE m.license_number = l.number"
    )
    op.create_check_constraint(op.f("ck_licenses_maintained"), "licenses", "maintained_from <= maintained_until")
    op.drop_table("maintenance")


def downgrade() -> None:
    """Take the schema back."""
    op.create_table(
        "maintenance",
        sa.Column("license_number", sa.Text(collation="C"), nullable=False),
        sa.Column("starts", sa.Date(), nullable=False),
        sa.Column("ends", sa.Date(), nullable=False),
        sa.Column("level", sa.Text(), nullable=True),
        sa.Column("support_contact", sa.Text(), nullable=True),
        sa.CheckConstraint("starts <= ends", name=op.f("ck_maintenance_dates")),
        sa.PrimaryKeyConstraint("license_number", name=op.f("pk_maintenance")),
    )
    op.execute(
        "INSERT INTO maintenance SELECT number, maintained_from, maintained_until, support_level, support_contact"
        " FROM licenses WHERE maintained_from IS NOT NULL"
    )
    op.execute(f"GRANT SELECT ON maintenance TO {ROLE}")
    op.execute("ALTER TABLE maintenance ENABLE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY tenant ON maintenance FOR SELECT TO {ROLE}"
        " USING (EXISTS (SELECT FROM licenses o WHERE o.number = license_number))"
    )
    op.drop_constraint(op.f("ck_licenses_maintained"), "licenses")
    for name in ("support_contact", "support_level", "maintained_until", "maintained_from"):
        op.drop_column("licenses", name)
