"""tallies, an index for each order of categories, and when tokens were used."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NEWEST_FIRST = sa.text("id DESC")
_ORDERS: dict[str, list[str | sa.TextClause]] = {
    "ix_categories_event_id_position_id_desc": ["event_id", "position", _NEWEST_FIRST],
    "ix_categories_event_id_id": ["event_id", "id"],
    "ix_categories_event_id_is_addon_position_id": ["event_id", "is_addon", "position", "id"],
    "ix_categories_event_id_is_addon_position_id_desc": [
        "event_id",
        "is_addon",
        "position",
        _NEWEST_FIRST,
    ],
    "ix_categories_event_id_is_addon_id": ["event_id", "is_addon", "id"],
}


def upgrade() -> None:
    """Applies this revision."""
    op.create_table(
        "tallies",
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name=op.f("fk_tallies_event_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("event_id", "kind", name=op.f("pk_tallies")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO tallies (event_id, kind, amount) "
        "SELECT event_id, 'campaign', count(*) FROM campaigns GROUP BY event_id"
    )
    op.execute(
        "INSERT INTO tallies (event_id, kind, amount) "
        "SELECT event_id, CASE WHEN is_addon THEN 'add-on category' ELSE 'category' END, count(*) "
        "FROM categories GROUP BY event_id, is_addon"
    )
    op.create_table(
        "token_uses",
        sa.Column("token_id", sa.Integer(), nullable=False),
        sa.Column("used_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["token_id"], ["tokens.id"], name=op.f("fk_token_uses_token_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_token_uses")),
        sqlite_with_rowid=False,
    )
    for name, columns in _ORDERS.items():
        op.create_index(name, "categories", columns, unique=False)
