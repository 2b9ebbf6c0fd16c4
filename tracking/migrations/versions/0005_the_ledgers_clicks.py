"""how many clicks each row of the ledger stands for, and how far writers are flushed."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    # SQLite adds no column without a default to a table that has rows.
    op.rename_table("flush_batches", "flush_batches_before")
    op.create_table(
        "flush_batches",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("applied_at", sa.Float(), nullable=False),
        sa.Column("clicks", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flush_batches")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO flush_batches (id, applied_at, clicks) "
        "SELECT id, applied_at, 0 FROM flush_batches_before"
    )
    # Which of them counted what is not known any more.
    op.execute(
        "INSERT INTO flush_batches (id, applied_at, clicks) "
        "SELECT 'older', 0, sum(clicks) FROM click_hours HAVING sum(clicks) > 0"
    )
    op.drop_table("flush_batches_before")
    op.create_table(
        "writers",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("flushed_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_writers")),
        sqlite_with_rowid=False,
    )
