"""when tokens end; when events are, their currency and time zone."""

import json
import time
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.add_column("tokens", sa.Column("expires_at", sa.Float(), nullable=True))
    for name, type_, default in (
        ("currency", sa.String(), "'EUR'"),
        ("timezone", sa.String(), "'UTC'"),
        ("created_at", sa.Float(), "0"),
        ("date_from", sa.Float(), "0"),
        ("search_text", sa.String(), "''"),
    ):
        column = sa.Column(name, type_, nullable=False, server_default=sa.text(default))
        op.add_column("events", column)
    op.add_column("events", sa.Column("date_to", sa.Float(), nullable=True))
    # When they were made is not known any more: they were there by now.
    connection = op.get_bind()
    connection.execute(
        sa.text("UPDATE events SET created_at = :now, date_from = :now"), {"now": time.time()}
    )
    for id, slug, name in connection.execute(sa.text("SELECT id, slug, name FROM events")).all():
        connection.execute(
            sa.text("UPDATE events SET search_text = :search_text WHERE id = :id"),
            {"id": id, "search_text": _searchable(slug, *json.loads(name or "{}").values())},
        )
    op.create_index(
        "ix_events_organizer_id_date_from_slug",
        "events",
        ["organizer_id", "date_from", "slug"],
        unique=False,
    )


def _searchable(*texts: str) -> str:
    """As tracking/search.py stored texts when this revision was made."""
    folded = (unicodedata.normalize("NFC", text.casefold()) for text in texts)
    return "\x1f".join(text.replace("\x1f", " ") for text in folded)
