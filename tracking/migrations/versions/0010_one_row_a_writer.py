"""one row a writer is the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.add_column(
        "writers", sa.Column("clicks", sa.Integer(), nullable=False, server_default=sa.text("0"))
    )
    op.add_column("writers", sa.Column("ended_at", sa.Float(), nullable=True))
    # Their numbers count batches of earlier versions: nothing more comes under their ids.
    op.execute("UPDATE writers SET ended_at = flushed_at")
    op.execute(
        "INSERT INTO writers (id, number, flushed_at, clicks, ended_at) "
        "SELECT 'earlier writers', 0, 0, sum(clicks), 0 FROM flush_batches HAVING count(*) > 0"
    )
    op.execute("UPDATE flush_batches SET clicks = 0")
