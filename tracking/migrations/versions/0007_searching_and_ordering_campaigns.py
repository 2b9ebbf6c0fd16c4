"""what campaigns are searched for, and an index for each order of their lists."""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BATCH = 10_000
_ORDERS: dict[str, list[str | sa.TextClause]] = {
    "ix_campaigns_event_id_code": ["event_id", "code"],
    "ix_campaigns_event_id_description_id_desc": ["event_id", "description", sa.text("id DESC")],
    "ix_campaigns_event_id_order_count_id": ["event_id", "order_count", "id"],
    "ix_campaigns_event_id_click_count_id": ["event_id", "click_count", "id"],
}
_CAMPAIGNS = sa.text(
    "SELECT id, event_id, code, description, external_target FROM campaigns "
    "WHERE id > :last ORDER BY id LIMIT :batch"
)
_TEXT = sa.text(
    "INSERT INTO campaign_texts (event_id, campaign_id, text) "
    "VALUES (:event_id, :campaign_id, :text)"
)


def upgrade() -> None:
    """Applies this revision."""
    op.create_table(
        "campaign_texts",
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name=op.f("fk_campaign_texts_campaign_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("event_id", "campaign_id", name=op.f("pk_campaign_texts")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_campaign_texts_campaign_id", "campaign_texts", ["campaign_id"], unique=False
    )
    _fill()
    for name, columns in _ORDERS.items():
        op.create_index(name, "campaigns", columns, unique=False)


def _fill() -> None:
    connection = op.get_bind()
    last = 0
    while rows := connection.execute(_CAMPAIGNS, {"last": last, "batch": _BATCH}).all():
        texts = [
            {"event_id": event_id, "campaign_id": id, "text": _searchable(*texts)}
            for id, event_id, *texts in rows
        ]
        connection.execute(_TEXT, texts)
        last = rows[-1].id


def _searchable(*texts: str) -> str:
    """As tracking/search.py stored texts when this revision was made."""
    folded = (unicodedata.normalize("NFC", text.casefold()) for text in texts)
    return "\x1f".join(text.replace("\x1f", " ") for text in folded)
