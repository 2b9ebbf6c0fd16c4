"""The tables. What changes here needs a migration beside it in `migrations/versions`."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _reference(column: str) -> ForeignKey:
    return ForeignKey(column, ondelete="CASCADE")


organizers = Table(
    "organizers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("slug", String, nullable=False, unique=True),
    # Null: the slug.
    Column("name", String),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("organizer_id", _reference("organizers.id"), nullable=False),
    Column("slug", String, nullable=False),
    # Empty: the setting SHOP_URL.
    Column("shop_url", String, nullable=False),
    # Null: the slug.
    Column("name", JSON(none_as_null=True)),
    # Three capital letters, ISO 4217; an IANA name.
    Column("currency", String, nullable=False, server_default=text("'EUR'")),
    Column("timezone", String, nullable=False, server_default=text("'UTC'")),
    # Seconds since the epoch. While its start is not known, an event starts when it was made.
    Column("created_at", Float, nullable=False, server_default=text("0")),
    Column("date_from", Float, nullable=False, server_default=text("0")),
    Column("date_to", Float),
    # Its name and slug (tracking/search.py).
    Column("search_text", String, nullable=False, server_default=text("''")),
    Index("uq_events_organizer_id_slug", "organizer_id", "slug", unique=True),
    Index("ix_events_organizer_id_date_from_slug", "organizer_id", "date_from", "slug"),
)

# Ids are never given twice (AUTOINCREMENT): a deleted campaign's clicks may still wait in Redis
# under its id, and must not be counted for another.
campaigns = Table(
    "campaigns",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("event_id", _reference("events.id"), nullable=False),
    Column("code", String, nullable=False, unique=True),
    Column("description", String, nullable=False),
    Column("external_target", String, nullable=False),
    Column("order_count", Integer, nullable=False),
    Column("click_count", Integer, nullable=False),
    # One for each column that a list can be ordered by, in the direction that is asked for most;
    # equal ones come newest first. In the other direction only what is equal is sorted.
    Index("ix_campaigns_event_id_id", "event_id", "id"),
    Index("ix_campaigns_event_id_code", "event_id", "code"),
    Index("ix_campaigns_event_id_description_id_desc", "event_id", "description", text("id DESC")),
    Index("ix_campaigns_event_id_order_count_id", "event_id", "order_count", "id"),
    Index("ix_campaigns_event_id_click_count_id", "event_id", "click_count", "id"),
    sqlite_autoincrement=True,
)

# Each campaign's code, description and target (tracking/search.py), one event's side by side and
# apart from its campaigns: 100,000 are searched in 30 ms, where their own rows would take 200 ms.
campaign_texts = Table(
    "campaign_texts",
    metadata,
    Column("event_id", Integer, primary_key=True),
    Column("campaign_id", _reference("campaigns.id"), primary_key=True),
    Column("text", String, nullable=False),
    # By which a deleted campaign finds its text.
    Index("ix_campaign_texts_campaign_id", "campaign_id"),
    sqlite_with_rowid=False,
)

# Until when an event's lists are as they are; tracking/marks.py says how this moves on.
event_marks = Table(
    "event_marks",
    metadata,
    Column("event_id", _reference("events.id"), primary_key=True),
    # Whole seconds since the epoch: of what clients write, and of that or of clicks.
    Column("written_at", Integer),
    Column("counted_at", Integer, nullable=False),
)

# Until when what its statistics show is as it is: clicks of every audience count.
statistics_marks = Table(
    "statistics_marks",
    metadata,
    Column("event_id", _reference("events.id"), primary_key=True),
    # Whole seconds since the epoch.
    Column("changed_at", Integer, nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("event_id", _reference("events.id"), nullable=False),
    Column("campaign_id", _reference("campaigns.id"), nullable=False),
    Column("code", String, nullable=False),
    # Seconds since the epoch.
    Column("attributed_at", Float, nullable=False),
    Index("uq_orders_event_id_code", "event_id", "code", unique=True),
    Index("ix_orders_campaign_id_id", "campaign_id", "id"),
    Index("ix_orders_event_id_attributed_at", "event_id", "attributed_at", "campaign_id"),
    sqlite_autoincrement=True,
)

# The change feed: one row for each write to a campaign, in the same transaction.
campaign_changes = Table(
    "campaign_changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("code", String, nullable=False),
    # Seconds since the epoch.
    Column("changed_at", Float, nullable=False),
    sqlite_autoincrement=True,
)

categories = Table(
    "categories",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("event_id", _reference("events.id"), nullable=False),
    Column("name", JSON, nullable=False),
    Column("internal_name", String),
    Column("description", JSON(none_as_null=True)),
    Column("position", Integer, nullable=False),
    Column("is_addon", Boolean, nullable=False),
    # One for each order that a list can be asked for, or its reverse, with and without the filter,
    # so that no list is ever sorted: a page of 100,000 takes what a page of 100 does.
    Index("ix_categories_event_id_position_id", "event_id", "position", "id"),
    Index("ix_categories_event_id_position_id_desc", "event_id", "position", text("id DESC")),
    Index("ix_categories_event_id_id", "event_id", "id"),
    Index("ix_categories_event_id_is_addon_position_id", "event_id", "is_addon", "position", "id"),
    Index(
        "ix_categories_event_id_is_addon_position_id_desc",
        "event_id",
        "is_addon",
        "position",
        text("id DESC"),
    ),
    Index("ix_categories_event_id_is_addon_id", "event_id", "is_addon", "id"),
    sqlite_autoincrement=True,
)

# How many items of a kind an event has (`tracking/tallies.py`).
tallies = Table(
    "tallies",
    metadata,
    Column("event_id", _reference("events.id"), primary_key=True),
    Column("kind", String, primary_key=True),
    Column("amount", Integer, nullable=False),
    sqlite_with_rowid=False,
)

click_hours = Table(
    "click_hours",
    metadata,
    Column("campaign_id", _reference("campaigns.id"), primary_key=True),
    # Whole hours since the epoch, UTC.
    Column("hour", Integer, primary_key=True),
    Column("audience", String, primary_key=True),
    Column("clicks", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# What the hourly rows of an event's campaigns add up to, so that a chart of an event with 10,000 of
# them reads a row for each hour. Written in the same transactions; `waymark audit` compares.
event_hours = Table(
    "event_hours",
    metadata,
    Column("event_id", _reference("events.id"), primary_key=True),
    Column("hour", Integer, primary_key=True),
    Column("audience", String, primary_key=True),
    Column("clicks", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# The ledger: one row for each redirector process, and for what left the counts with its campaign
# (`tracking/writers.py`). Its clicks are those of the hourly rows, all together.
writers = Table(
    "writers",
    metadata,
    Column("id", String, primary_key=True),
    # Up to which of its records all are in the counts.
    Column("number", Integer, nullable=False),
    # Seconds since the epoch: when anything of it was last heard.
    Column("flushed_at", Float, nullable=False),
    # Negative where campaigns were deleted, and their hourly rows with them.
    Column("clicks", Integer, nullable=False, server_default=text("0")),
    # Seconds since the epoch; null: more may come.
    Column("ended_at", Float),
    sqlite_with_rowid=False,
)

# Batches of versions before journals, which a copy of Redis's data may still bring.
flush_batches = Table(
    "flush_batches",
    metadata,
    Column("id", String, primary_key=True),
    # Seconds since the epoch.
    Column("applied_at", Float, nullable=False),
    Column("clicks", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# One row: what the flusher last said of itself.
flusher_status = Table(
    "flusher_status",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("redis_reachable", Boolean, nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("interval", Float, nullable=False, server_default=text("10.0")),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("organizer_id", _reference("organizers.id"), nullable=False),
    Column("name", String, nullable=False),
    # SHA-256 of the token, in hexadecimal digits.
    Column("digest", String, nullable=False, unique=True),
    Column("all_events", Boolean, nullable=False),
    Column("read_only", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("revoked_at", Float),
    # Null: it has no end.
    Column("expires_at", Float),
    sqlite_autoincrement=True,
)

token_events = Table(
    "token_events",
    metadata,
    Column("token_id", _reference("tokens.id"), primary_key=True),
    Column("event_id", _reference("events.id"), primary_key=True),
    sqlite_with_rowid=False,
)

# What was answered to a request with a key. While it is being worked on, there is no answer yet.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("token_id", _reference("tokens.id"), primary_key=True),
    Column("key", String, primary_key=True),
    # Which request it is that works on it.
    Column("claim", String, nullable=False),
    # Seconds since the epoch: when it was claimed, then when it was answered.
    Column("changed_at", Float, nullable=False),
    Column("status", Integer),
    Column("headers", JSON(none_as_null=True)),
    Column("body", LargeBinary),
    Index("ix_idempotency_keys_changed_at", "changed_at"),
)

# When a token was last seen, to about ten minutes: apart from the tokens, which change rarely.
token_uses = Table(
    "token_uses",
    metadata,
    Column("token_id", _reference("tokens.id"), primary_key=True),
    # Seconds since the epoch.
    Column("used_at", Float, nullable=False),
    sqlite_with_rowid=False,
)

# People who sign in to the dashboard.
users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    # In small letters, as it is compared.
    Column("email", String, nullable=False, unique=True),
    # Argon2id, in its encoded form; null: signs in with a link alone.
    Column("password_hash", String),
    # Seconds since the epoch.
    Column("created_at", Float, nullable=False),
    sqlite_autoincrement=True,
)

# What a user may do for an organizer.
memberships = Table(
    "memberships",
    metadata,
    Column("user_id", _reference("users.id"), primary_key=True),
    Column("organizer_id", _reference("organizers.id"), primary_key=True),
    Column("role", String, nullable=False),
    Index("ix_memberships_organizer_id", "organizer_id"),
    sqlite_with_rowid=False,
)

# Addresses that sign a user in, once.
sign_in_links = Table(
    "sign_in_links",
    metadata,
    # SHA-256 of the secret, in hexadecimal digits.
    Column("digest", String, primary_key=True),
    Column("user_id", _reference("users.id"), nullable=False),
    # Seconds since the epoch; null: not used yet.
    Column("expires_at", Float, nullable=False),
    Column("used_at", Float),
    Index("ix_sign_in_links_user_id", "user_id"),
    sqlite_with_rowid=False,
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Integer, primary_key=True),
    # SHA-256 of the secret in the browser's cookie, in hexadecimal digits.
    Column("digest", String, nullable=False, unique=True),
    Column("user_id", _reference("users.id"), nullable=False),
    # The beginning of its User-Agent, by which a user knows it again.
    Column("browser", String, nullable=False),
    # Seconds since the epoch.
    Column("created_at", Float, nullable=False),
    Column("used_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Index("ix_sessions_user_id", "user_id"),
    sqlite_autoincrement=True,
)

# Addresses that show an event or a campaign to who has no account.
shares = Table(
    "shares",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("event_id", _reference("events.id"), nullable=False),
    # Null: the whole event.
    Column("campaign_id", _reference("campaigns.id")),
    # SHA-256 of the secret, in hexadecimal digits.
    Column("digest", String, nullable=False, unique=True),
    # For whom it is, as who made it says.
    Column("name", String, nullable=False),
    # Seconds since the epoch; null: it has no end.
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Index("ix_shares_event_id_id", "event_id", "id"),
    Index("ix_shares_campaign_id", "campaign_id"),
    sqlite_autoincrement=True,
)
