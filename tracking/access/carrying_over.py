"""Who may see what, after a restore: what was taken away since the backup stays taken away.

A backup knows roles that somebody no longer has, addresses that were revoked, passwords that were
changed because others knew them, and sessions that were signed out.
"""

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Access:
    """What the replaced database allows.

    Attributes:
        roles: e-mail addresses of users and slugs of organizers, with a role.
        passwords: hashes by e-mail address.
        shares: digests of shared addresses.
    """

    roles: list[tuple[str, str, str]]
    passwords: dict[str, str | None]
    shares: list[str]


def read(connection: sqlite3.Connection) -> Access | None:
    """What a database allows; None where it is older than users are."""
    tables = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'shares'"
    if connection.execute(tables).fetchone() is None:
        return None
    roles = connection.execute(
        "SELECT email, slug, role FROM memberships JOIN users ON users.id = user_id"
        " JOIN organizers ON organizers.id = organizer_id"
    ).fetchall()
    passwords = dict(connection.execute("SELECT email, password_hash FROM users"))
    shares = [digest for (digest,) in connection.execute("SELECT digest FROM shares")]
    return Access(roles, passwords, shares)


def apply(connection: sqlite3.Connection, replaced: Access | None) -> None:
    """Ends all sessions and sign-in links, and what the replaced database did not allow any more.

    Args:
        replaced: None = it can't be told: what the backup allows is allowed.
    """
    connection.execute("DELETE FROM sessions")
    connection.execute("DELETE FROM sign_in_links")
    if replaced is None:
        return
    connection.execute("CREATE TEMP TABLE allowed (email TEXT, slug TEXT, role TEXT)")
    connection.executemany("INSERT INTO allowed VALUES (?, ?, ?)", replaced.roles)
    connection.execute(
        "DELETE FROM memberships WHERE NOT EXISTS (SELECT 1 FROM allowed"
        " JOIN users ON users.email = allowed.email"
        " JOIN organizers ON organizers.slug = allowed.slug"
        " WHERE users.id = user_id AND organizers.id = organizer_id)"
    )
    connection.execute(
        "UPDATE memberships SET role = (SELECT allowed.role FROM allowed"
        " JOIN users ON users.email = allowed.email"
        " JOIN organizers ON organizers.slug = allowed.slug"
        " WHERE users.id = user_id AND organizers.id = organizer_id)"
    )
    connection.execute("DROP TABLE allowed")
    known = connection.execute("SELECT email FROM users").fetchall()
    connection.executemany(
        "UPDATE users SET password_hash = ? WHERE email = ?",
        [(replaced.passwords.get(email), email) for (email,) in known],
    )
    connection.execute("CREATE TEMP TABLE allowed_shares (digest TEXT)")
    connection.executemany(
        "INSERT INTO allowed_shares VALUES (?)", [(digest,) for digest in replaced.shares]
    )
    connection.execute("DELETE FROM shares WHERE digest NOT IN (SELECT digest FROM allowed_shares)")
    connection.execute("DROP TABLE allowed_shares")
