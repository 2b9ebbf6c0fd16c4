"""names of organizers and events."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.add_column("organizers", sa.Column("name", sa.String(), nullable=True))
    op.add_column("events", sa.Column("name", sa.JSON(none_as_null=True), nullable=True))
