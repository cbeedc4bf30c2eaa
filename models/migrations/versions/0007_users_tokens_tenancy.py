"""Users, sessions, API tokens, uploads in pieces; and row-level security for what accounts see."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0004"
branch_labels = None
depends_on = None

ROLE = "keymill_tenant"
ME = "(SELECT keymill_account())"
# Itself, those that it registered, those that delegated to it.
ACTS_FOR = f"(c.id = {ME} OR c.registered_by = {ME} OR c.id = ANY ((SELECT keymill_delegating())::bigint[]))"


def _customer(column: str) -> str:
    return f"EXISTS (SELECT FROM accounts c WHERE c.id = {column} AND {ACTS_FOR})"


def _seen(table: str, condition: str) -> str:
    """Rows that belong to a row of another table, whose own policy decides."""
    return f"EXISTS (SELECT FROM {table} o WHERE {condition})"


POLICIES = {
    "accounts": f"id = {ME} OR registered_by = {ME} OR id = ANY ((SELECT keymill_delegating())::bigint[])"
    " OR id = ANY ((SELECT keymill_partners())::bigint[])",
    "delegations": f"distributor_id = {ME} OR customer_id = {ME}",
    "users": f"account_id = {ME}",
    "sessions": _seen("users", "o.id = user_id"),
    "api_tokens": f"account_id = {ME}",
    "uploads": f"account_id = {ME}",
    "batches": f"account_id = {ME}",
    "chunks": _seen("batches", "o.id = batch_id"),
    "rows": _seen("batches", "o.id = batch_id"),
    "outcomes": _seen("batches", "o.id = batch_id"),
    "previews": _seen("batches", "o.id = batch_id"),
    "licenses": f"{_customer('customer_id')} OR number = ANY ((SELECT keymill_shared())::text[])",
    "maintenance": _seen("licenses", "o.number = license_number"),
    "user_fields": _seen("licenses", "o.number = license_number"),
    "notifications": _seen("licenses", "o.number = license_number"),
    "shares": f"account_id = {ME} OR EXISTS (SELECT FROM licenses o WHERE o.number = license_number"
    f" AND {_customer('o.customer_id')})",
    "vouchers": f"oem_id = {ME}",
    "serials": _customer("owner_id"),
    "contracts": _customer("customer_id"),
    "contract_lines": _seen("contracts", "o.id = contract_id"),
    "commitments": _seen("contract_lines", "o.id = line_id"),
    "draw_downs": _seen("contract_lines", "o.id = line_id"),
    "usage_reports": _seen("contract_lines", "o.id = line_id"),
    "statements": _seen("contract_lines", "o.id = line_id"),
    # The catalogue is the same for everybody.
    "products": "true",
    "releases": "true",
    "upgrade_paths": "true",
}
# Tables of which a tenant reads some columns only.
COLUMNS = {
    "users": "id, account_id, email, name, locale, permission, state, created_at",
    "sessions": "user_id, created_at, seen_at, expires_at, ended_at, user_agent, address",
    "api_tokens": "id, account_id, name, start, kinds, permission, created_at, created_by, expires_at, revoked_at,"
    " used_at, used_from",
}
# Each is called once a query. They look behind the policies of the tables that they read.
FUNCTIONS = {
    "keymill_delegating": (
        "bigint[]",
        "SELECT coalesce(array_agg(customer_id), '{}') FROM delegations"
        " WHERE distributor_id = keymill_account() AND state = 'active'",
    ),
    "keymill_shared": (
        "text[]",
        "SELECT coalesce(array_agg(license_number), '{}') FROM shares"
        " WHERE account_id = keymill_account() AND state = 'active'",
    ),
    # Whose licenses are shared with it, whom its own customers' licenses are shared with, whom it delegated to.
    "keymill_partners": (
        "bigint[]",
        "SELECT coalesce(array_agg(id), '{}') FROM ("
        " SELECT l.customer_id AS id FROM shares s JOIN licenses l ON l.number = s.license_number"
        " WHERE s.account_id = keymill_account() AND s.state = 'active'"
        " UNION SELECT s.account_id FROM accounts c JOIN licenses l ON l.customer_id = c.id"
        " JOIN shares s ON s.license_number = l.number WHERE s.state = 'active' AND c.id = keymill_account()"
        " UNION SELECT distributor_id FROM delegations"
        " WHERE customer_id = keymill_account() AND state = 'active') known",
    ),
}


def upgrade() -> None:
    """Bring the schema here."""
    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("locale", sa.Text(), nullable=True),
        sa.Column("permission", sa.Text(), server_default="read", nullable=False),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("permission IN ('read', 'submit', 'manage')", name=op.f("ck_users_permission")),
        sa.CheckConstraint("state IN ('active', 'suspended')", name=op.f("ck_users_state")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_users_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_index("uq_users_email", "users", [sa.text("lower(email)")], unique=True)
    op.create_index("ix_users_account_id", "users", ["account_id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id_users")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"], unique=False)
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("start", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("kinds", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("permission", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_from", sa.Text(), nullable=True),
        sa.CheckConstraint("permission IN ('read', 'submit', 'manage')", name=op.f("ck_api_tokens_permission")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_api_tokens_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_tokens_token_hash")),
    )
    op.create_index("ix_api_tokens_account_id", "api_tokens", ["account_id"], unique=False)
    op.create_table(
        "uploads",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("ends", postgresql.ARRAY(sa.BigInteger()), server_default="{}", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("size > 0", name=op.f("ck_uploads_size")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_uploads_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    op.create_index("ix_uploads_account_id", "uploads", ["account_id"], unique=False)
    op.create_index("ix_licenses_customer_id", "licenses", ["customer_id"], unique=False)
    op.create_index("ix_delegations_distributor_id", "delegations", ["distributor_id"], unique=False)
    _make_role()
    op.execute(
        "CREATE FUNCTION keymill_account() RETURNS bigint LANGUAGE sql STABLE AS"
        " $$ SELECT nullif(current_setting('keymill.account_id', true), '')::bigint $$"
    )
    for name, (type_, body) in FUNCTIONS.items():
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS {type_} LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT"
            f" AS $$ {body} $$"
        )
    for table, condition in POLICIES.items():
        columns = f" ({COLUMNS[table]})" if table in COLUMNS else ""
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} FOR SELECT TO {ROLE} USING ({condition})")
        op.execute(f"GRANT SELECT{columns} ON {table} TO {ROLE}")


def _make_role() -> None:
    """The role is the whole server's: another database may have made it, or make it at this moment."""
    op.execute(
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') THEN CREATE ROLE {ROLE} NOLOGIN;"
        " END IF; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;"
        " WHEN insufficient_privilege THEN RAISE EXCEPTION"
        f" 'An administrator of the database must run first: CREATE ROLE {ROLE} NOLOGIN; GRANT {ROLE} TO %', current_user;"
        " END $$"
    )
    op.execute(
        f"DO $$ BEGIN IF NOT pg_has_role(current_user, '{ROLE}', 'MEMBER') THEN GRANT {ROLE} TO CURRENT_USER; END IF;"
        " END $$"
    )
    op.execute(f"DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO {ROLE}', current_schema()); END $$")


def downgrade() -> None:
    """Take the schema back. The role stays: other databases of the server may use it."""
    for table in POLICIES:
        op.execute(f"REVOKE ALL ON {table} FROM {ROLE}")
        op.execute(f"DROP POLICY tenant ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    for name in (*FUNCTIONS, "keymill_account"):
        op.execute(f"DROP FUNCTION {name}()")
    op.drop_index("ix_delegations_distributor_id", "delegations")
    op.drop_index("ix_licenses_customer_id", "licenses")
    for table in ("uploads", "api_tokens", "sessions", "users"):
        op.drop_table(table)
