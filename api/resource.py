"""A resource: things of one kind that an event has, and the verbs that all resources share.

A resource is declared (`api/campaigns.py` shows how) and mounted; its queries are the domain's.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from pydantic import BaseModel
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.auth import Access, Authorized
from api.body import read_body
from api.errors import ApiError, FieldErrors
from api.fields import WriteModel, partial, validated
from api.lists import answer_list
from api.numbers import MAX_INTEGER, MIN_INTEGER, whole_number
from api.pagination import Page
from api.parameters import Parameter
from api.paths import Operation, Paths
from api.state import database_of, settings_of
from api.writing import writing
from tracking import marks
from tracking.database import Transaction

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

EVENT = "/api/v1/organizers/{organizer}/events/{event}"

# Ids start at 1: this one is never given.
_NO_ID = 0

Item = TypeVar("Item", bound="DataclassInstance")
Filters = dict[str, Any]
FilterReader = Callable[[QueryParams], Filters]
MarkReader = Callable[[Transaction, int], Awaitable[int | None]]


ConflictFinder = Callable[[Transaction, int | None, Mapping[str, Any]], Awaitable[FieldErrors]]


class Store(Protocol[Item]):
    """The queries of a resource: a module of `tracking`. All but writes take a read transaction."""

    @property
    def count(self) -> Callable[..., Awaitable[int]]:
        """How many of them an event has."""

    @property
    def list_(self) -> Callable[..., Awaitable[list[Item]]]:
        """A window of them."""

    @property
    def get(self) -> Callable[..., Awaitable[Item | None]]:
        """One of them."""

    @property
    def create(self) -> Callable[..., Awaitable[Item]]:
        """A new one."""

    @property
    def change(self) -> Callable[..., Awaitable[Item | None]]:
        """One of them with other values."""

    @property
    def remove(self) -> Callable[..., Awaitable[bool]]:
        """Whether there was one to delete."""


def no_filters(query: QueryParams) -> Filters:
    """For lists that a query does not narrow or order."""
    return {}


def never(**_: object) -> bool:
    """For lists that an index has in every order."""
    return False


async def no_conflicts(
    transaction: Transaction, id: int | None, body: Mapping[str, Any]
) -> FieldErrors:
    """For things that may be alike."""
    return {}


@dataclass(frozen=True, slots=True)
class Resource(Generic[Item]):
    """What sets one resource apart from another.

    Attributes:
        name: the path's last part.
        noun: one of them, in the ids of operations.
        title: for people.
        store: its queries.
        read_model: what clients read.
        write_model: what they write.
        missing: makes the error for an id that the event does not have.
        modified: reads the mark of its lists (tracking/marks.py).
        kept: fields that a PUT without them leaves as they are, and does not reset.
        selection: reads from the query which items are listed and counted.
        ordering: reads from the query how they are ordered.
        parameters: what `selection` and `ordering` read, described.
        conflicts: finds which fields of a body with other errors are another's already; its id is
            None for a new one. The store itself refuses a body that is right but for those.
        sizes: for items that may be large: reads how many bytes those of a list are.
        expensive: whether a list costs much to read, by its selection and ordering.
        delete_alias: another name for the path of DELETE.
    """

    name: str
    noun: str
    title: str
    store: Store[Item]
    read_model: type[BaseModel]
    write_model: type[WriteModel]
    missing: Callable[[], ApiError]
    modified: MarkReader = marks.written
    kept: frozenset[str] = frozenset()
    selection: FilterReader = no_filters
    ordering: FilterReader = no_filters
    parameters: tuple[Parameter, ...] = ()
    conflicts: ConflictFinder = no_conflicts
    sizes: Callable[..., Awaitable[list[int]]] | None = None
    expensive: Callable[..., bool] = never
    delete_alias: str | None = None


class Endpoints(Generic[Item]):
    """The handlers of a resource: find, parse, act, answer. `Authorized` comes before them all."""

    def __init__(self, resource: Resource[Item]) -> None:
        self._resource = resource
        self._store = resource.store
        self._patch_model = partial(resource.write_model)

    async def list_(self, request: Request, access: Authorized) -> Response:
        event_id = access.event.id
        selection = self._resource.selection(request.query_params)
        ordering = self._resource.ordering(request.query_params)
        sizes = self._resource.sizes
        return await answer_list(
            request,
            access.token,
            modified=lambda transaction: self._resource.modified(transaction, event_id),
            count=lambda transaction: self._store.count(transaction, event_id, **selection),
            list_=lambda transaction, window: self._store.list_(
                transaction, event_id, window, **selection, **ordering
            ),
            sizes=sizes
            and (
                lambda transaction, window: sizes(
                    transaction, event_id, window, **selection, **ordering
                )
            ),
            expensive=self._resource.expensive(**selection, **ordering),
        )

    async def create(self, request: Request, access: Authorized) -> Response:
        model = await self._read(request, self._resource.write_model)
        async with writing(request, access) as write:
            item = await self._store.create(write.transaction, access.event.id, **dict(model))
            return write.answer(JSONResponse(asdict(item), status_code=201))

    async def retrieve(self, request: Request, access: Authorized, id: str) -> Response:
        return JSONResponse(asdict(await self._find(request, access, read_id(id))))

    async def update(self, request: Request, access: Authorized, id: str) -> Response:
        """PUT: optional fields that are not sent go back to their defaults, but for a few."""
        return await self._write(
            request, access, id, self._resource.write_model, self._resource.kept
        )

    async def partial_update(self, request: Request, access: Authorized, id: str) -> Response:
        """PATCH: fields that are not sent stay as they are."""
        every_field = frozenset(self._patch_model.model_fields)
        return await self._write(request, access, id, self._patch_model, every_field)

    async def delete(self, request: Request, access: Authorized, id: str) -> Response:
        number = read_id(id)
        async with writing(request, access) as write:
            if not await self._store.remove(write.transaction, access.event.id, number):
                raise self._resource.missing()
            return write.answer(Response(status_code=204))

    async def _find(self, request: Request, access: Access, id: int) -> Item:
        async with database_of(request).read() as connection:
            found = await self._store.get(connection, access.event.id, id)
        if found is None:
            raise self._resource.missing()
        return found

    async def _read(
        self, request: Request, write_model: type[WriteModel], id: int | None = None
    ) -> WriteModel:
        """Reads the body: all its errors together, those too that only the store knows."""
        body = await read_body(request)
        try:
            return validated(write_model, body, public_origin=settings_of(request).public_origin)
        except ApiError as error:
            async with database_of(request).read() as transaction:
                conflicts = await self._resource.conflicts(transaction, id, body)
            raise ApiError.invalid({**error.body, **conflicts}) from None

    async def _write(
        self,
        request: Request,
        access: Access,
        id: str,
        write_model: type[WriteModel],
        kept: frozenset[str],
    ) -> Response:
        number = read_id(id)
        # An id that does not exist is reported before anything in the body.
        await self._find(request, access, number)
        model = await self._read(request, write_model, number)
        unsent = kept - model.model_fields_set
        values = {name: value for name, value in model if name not in unsent}
        async with writing(request, access) as write:
            changed = await self._store.change(write.transaction, access.event.id, number, values)
            if changed is None:
                raise self._resource.missing()
            return write.answer(JSONResponse(asdict(changed)))


def mount(paths: Paths, resource: Resource[Item]) -> None:
    """Gives a resource its paths."""
    endpoints = Endpoints(resource)
    one, writes = resource.read_model, resource.write_model
    page = Page.__class_getitem__(one)
    path = f"{EVENT}/{resource.name}/"
    noun = resource.noun
    paths.add(
        path,
        f"{resource.title} List",
        GET=Operation(
            f"list_{resource.name}", endpoints.list_, reads=page, parameters=resource.parameters
        ),
        POST=Operation(f"create_{noun}", endpoints.create, status=201, reads=one, writes=writes),
    )
    paths.add(
        f"{path}{{id}}/",
        f"{resource.title} Instance",
        GET=Operation(f"retrieve_{noun}", endpoints.retrieve, reads=one),
        PUT=Operation(f"update_{noun}", endpoints.update, reads=one, writes=writes),
        PATCH=Operation(
            f"partial_update_{noun}", endpoints.partial_update, reads=one, writes=partial(writes)
        ),
        DELETE=Operation(f"delete_{noun}", endpoints.delete, status=204),
    )
    if resource.delete_alias is not None:
        paths.add(
            f"{EVENT}/{resource.delete_alias}/{{id}}/",
            f"{resource.title} Instance",
            DELETE=Operation(f"delete_{noun}_alias", endpoints.delete, status=204),
        )


def read_id(text: str) -> int:
    """Reads an id in a path; one that no thing can have becomes one that none has.

    Raises:
        ApiError: 404, it is no number.
    """
    number = whole_number(text)
    if number is None:
        raise ApiError.not_found()
    return number if MIN_INTEGER <= number <= MAX_INTEGER else _NO_ID
