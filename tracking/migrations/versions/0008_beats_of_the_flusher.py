"""how often the flusher reports."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    interval = sa.Column("interval", sa.Float(), nullable=False, server_default=sa.text("10.0"))
    op.add_column("flusher_status", interval)
