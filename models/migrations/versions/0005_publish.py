"""A stage of its own for the revocation list, after a batch has ended."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_STAGES = "'read', 'preview', 'run', 'contested', 'closing', 'render', 'finish'"


def upgrade() -> None:
    """Bring the schema here."""
    op.drop_constraint("ck_chunks_stage", "chunks")
    op.create_check_constraint("ck_chunks_stage", "chunks", f"stage IN ({_STAGES}, 'publish')")


def downgrade() -> None:
    """Take the schema back; the lists that wait to be published are forgotten."""
    op.execute("DELETE FROM chunks WHERE stage = 'publish'")
    op.drop_constraint("ck_chunks_stage", "chunks")
    op.create_check_constraint("ck_chunks_stage", "chunks", f"stage IN ({_STAGES})")
