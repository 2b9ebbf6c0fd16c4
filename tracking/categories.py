"""Item categories: how a shop groups what it sells. The type and its queries."""

from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking import marks, tallies
from tracking.languages import MultiLingual
from tracking.tables import categories
from tracking.tallies import Kind
from tracking.window import SortKey, Window, rows, sort_keys


@dataclass(frozen=True, slots=True)
class Category:
    """An item category of an event."""

    id: int
    name: MultiLingual
    internal_name: str | None
    description: MultiLingual | None
    position: int
    is_addon: bool


# Bytes of what a category has beside its texts, as JSON: 255 characters that are escaped, two
# numbers of 20 digits, and names.
_AROUND_TEXTS = 2048
_COLUMNS = [categories.c[field.name] for field in fields(Category)]


async def count(connection: AsyncConnection, event_id: int, *, is_addon: bool | None = None) -> int:
    """How many categories the event has; `is_addon` None counts both kinds."""
    kinds = (True, False) if is_addon is None else (is_addon,)
    return await tallies.read(connection, event_id, *map(_kind, kinds))


async def list_(
    connection: AsyncConnection,
    event_id: int,
    window: Window,
    *,
    is_addon: bool | None = None,
    ordering: tuple[str, ...] = (),
) -> list[Category]:
    """The event's categories in the window.

    Args:
        is_addon: None lists both kinds.
        ordering: columns to order by, `-` before one for descending: `id` and `position`.
            Empty = by position, then id. Without `id` equal positions come newest first (the
            contract, "Item categories").
    """
    query = select(*_COLUMNS).where(*_of(event_id, is_addon))
    found = await rows(connection, query, _keys(ordering), window)
    return [Category(**row) for row in found]


async def sizes(
    connection: AsyncConnection,
    event_id: int,
    window: Window,
    *,
    is_addon: bool | None = None,
    ordering: tuple[str, ...] = (),
) -> list[int]:
    """How many bytes each category that `list_` lists has as JSON, at most.

    What is stored has other letters than English ones escaped.
    """
    name = func.length(categories.c.name)
    description = func.coalesce(func.length(categories.c.description), 0)
    size = (name + description + _AROUND_TEXTS).label("bytes")
    query = select(size).where(*_of(event_id, is_addon))
    found = await rows(connection, query, _keys(ordering), window)
    return [row["bytes"] for row in found]


async def get(connection: AsyncConnection, event_id: int, id: int) -> Category | None:
    """The event's category with this id, or None."""
    query = select(*_COLUMNS).where(categories.c.event_id == event_id, categories.c.id == id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return Category(**row) if row else None


async def create(
    connection: AsyncConnection,
    event_id: int,
    *,
    name: MultiLingual,
    internal_name: str | None,
    description: MultiLingual | None,
    position: int,
    is_addon: bool,
) -> Category:
    """Makes a category."""
    statement = (
        insert(categories)
        .values(
            event_id=event_id,
            name=name,
            internal_name=internal_name,
            description=description,
            position=position,
            is_addon=is_addon,
        )
        .returning(*_COLUMNS)
    )
    made = Category(**(await connection.execute(statement)).mappings().one())
    await tallies.add(connection, event_id, _kind(is_addon), 1)
    await marks.note_write(connection, event_id)
    return made


async def change(
    connection: AsyncConnection, event_id: int, id: int, values: dict[str, Any]
) -> Category | None:
    """Changes the named columns of a category.

    Returns:
        The category as it is now, or None when the event has none with this id.
    """
    before = await get(connection, event_id, id)
    if before is None or not values:
        return before
    statement = (
        update(categories)
        .where(categories.c.event_id == event_id, categories.c.id == id)
        .values(**values)
        .returning(*_COLUMNS)
    )
    after = Category(**(await connection.execute(statement)).mappings().one())
    if after.is_addon != before.is_addon:
        await tallies.add(connection, event_id, _kind(before.is_addon), -1)
        await tallies.add(connection, event_id, _kind(after.is_addon), 1)
    await marks.note_write(connection, event_id)
    return after


async def remove(connection: AsyncConnection, event_id: int, id: int) -> bool:
    """Deletes a category; False when the event has none with this id."""
    statement = (
        delete(categories)
        .where(categories.c.event_id == event_id, categories.c.id == id)
        .returning(categories.c.is_addon)
    )
    is_addon = (await connection.execute(statement)).scalar_one_or_none()
    if is_addon is None:
        return False
    await tallies.add(connection, event_id, _kind(is_addon), -1)
    await marks.note_write(connection, event_id)
    return True


def _kind(is_addon: bool) -> Kind:
    return Kind.ADD_ON_CATEGORY if is_addon else Kind.CATEGORY


def _keys(ordering: tuple[str, ...]) -> list[SortKey]:
    names = ordering or ("position", "id")
    return sort_keys(categories, (*names, "-id"), unique={"id"})


def _of(event_id: int, is_addon: bool | None) -> list[ColumnElement[bool]]:
    conditions = [categories.c.event_id == event_id]
    if is_addon is not None:
        conditions.append(categories.c.is_addon == is_addon)
    return conditions
