"""users, their sessions, shared addresses, and the clicks of an event's hours."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.create_index(
        "ix_orders_event_id_attributed_at", "orders", ["event_id", "attributed_at", "campaign_id"]
    )
    _make_hours()
    _make_users()
    _make_shares()


def _make_hours() -> None:
    op.create_table(
        "event_hours",
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("audience", sa.String(), nullable=False),
        sa.Column("clicks", sa.Integer(), nullable=False),
        _reference("event_hours", "event_id", "events"),
        sa.PrimaryKeyConstraint("event_id", "hour", "audience", name=op.f("pk_event_hours")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "statistics_marks",
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.Integer(), nullable=False),
        _reference("statistics_marks", "event_id", "events"),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_statistics_marks")),
    )
    op.execute(
        "INSERT INTO statistics_marks (event_id, changed_at)"
        " SELECT event_id, counted_at FROM event_marks"
    )
    op.execute(
        "INSERT INTO event_hours (event_id, hour, audience, clicks)"
        " SELECT campaigns.event_id, hour, audience, sum(clicks)"
        " FROM click_hours JOIN campaigns ON campaigns.id = click_hours.campaign_id"
        " GROUP BY campaigns.event_id, hour, audience"
    )


def _make_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "memberships",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("organizer_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        _reference("memberships", "user_id", "users"),
        _reference("memberships", "organizer_id", "organizers"),
        sa.PrimaryKeyConstraint("user_id", "organizer_id", name=op.f("pk_memberships")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_memberships_organizer_id", "memberships", ["organizer_id"])
    op.create_table(
        "sign_in_links",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("used_at", sa.Float(), nullable=True),
        _reference("sign_in_links", "user_id", "users"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sign_in_links")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_sign_in_links_user_id", "sign_in_links", ["user_id"])
    op.create_table(
        "sessions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("browser", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("used_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        _reference("sessions", "user_id", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("digest", name=op.f("uq_sessions_digest")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])


def _make_shares() -> None:
    op.create_table(
        "shares",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=True),
        _reference("shares", "event_id", "events"),
        _reference("shares", "campaign_id", "campaigns"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shares")),
        sa.UniqueConstraint("digest", name=op.f("uq_shares_digest")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_shares_event_id_id", "shares", ["event_id", "id"])
    op.create_index("ix_shares_campaign_id", "shares", ["campaign_id"])


def _reference(table: str, column: str, referred: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{referred}.id"], name=op.f(f"fk_{table}_{column}"), ondelete="CASCADE"
    )
