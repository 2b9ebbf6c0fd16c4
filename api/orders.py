"""Orders over HTTP: reported by the shop, each for the campaign that brought it."""

from dataclasses import asdict
from typing import Annotated

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.auth import Authorized
from api.body import read_body
from api.campaigns import CAMPAIGNS
from api.errors import ApiError
from api.fields import OrderCode, WriteModel, validated
from api.lists import answer_list
from api.pagination import Page
from api.paths import Operation, Paths
from api.reading import ReadModel
from api.resource import EVENT, read_id
from api.state import database_of
from api.writing import writing
from tracking import campaigns, marks, orders
from tracking.database import Transaction

_CODE = Field(description="The order's code in the shop, in upper case.", examples=["ABC12"])


class OrderFields(WriteModel):
    """What clients write."""

    code: Annotated[OrderCode, _CODE]


class OrderRead(ReadModel):
    """What clients read."""

    code: Annotated[str, _CODE]
    datetime: str = Field(
        description="When it was attributed to the campaign.",
        examples=["2026-11-22T10:00:00Z"],
        json_schema_extra={"format": "date-time"},
    )


async def list_(request: Request, access: Authorized, id: str) -> Response:
    """A campaign's orders, as they came."""
    event_id, campaign_id = access.event.id, read_id(id)
    async with database_of(request).read() as transaction:
        await _require_campaign(transaction, event_id, campaign_id)
    return await answer_list(
        request,
        access.token,
        modified=lambda transaction: marks.written(transaction, event_id),
        count=lambda transaction: orders.count(transaction, campaign_id),
        list_=lambda transaction, window: orders.list_(transaction, campaign_id, window),
    )


async def create(request: Request, access: Authorized, id: str) -> Response:
    """201 for the first report of an order, 200 for later ones."""
    event_id, campaign_id = access.event.id, read_id(id)
    async with database_of(request).read() as transaction:
        # A campaign that does not exist is reported before anything in the body.
        await _require_campaign(transaction, event_id, campaign_id)
    model = validated(OrderFields, await read_body(request))
    async with writing(request, access) as write:
        await _require_campaign(write.transaction, event_id, campaign_id)
        order, is_new = await orders.attribute(write.transaction, event_id, campaign_id, model.code)
        return write.answer(JSONResponse(asdict(order), 201 if is_new else 200))


async def delete(request: Request, access: Authorized, id: str, code: str) -> Response:
    """Takes an order back."""
    event_id, campaign_id = access.event.id, read_id(id)
    async with writing(request, access) as write:
        await _require_campaign(write.transaction, event_id, campaign_id)
        # Nothing that is no code may become one: upper() makes SS of ß.
        if not orders.CODE.fullmatch(code) or not await orders.remove(
            write.transaction, event_id, campaign_id, code.upper()
        ):
            raise ApiError.not_found()
        return write.answer(Response(status_code=204))


async def _require_campaign(transaction: Transaction, event_id: int, id: int) -> None:
    if await campaigns.get(transaction, event_id, id) is None:
        raise CAMPAIGNS.missing()


def mount_orders(paths: Paths) -> None:
    """Gives orders their paths."""
    path = f"{EVENT}/{CAMPAIGNS.name}/{{id}}/orders/"
    page: type[BaseModel] = Page[OrderRead]
    paths.add(
        path,
        "Order List",
        GET=Operation("list_orders", list_, reads=page),
        POST=Operation(
            "create_order",
            create,
            status=201,
            other_statuses=(200,),
            reads=OrderRead,
            writes=OrderFields,
        ),
    )
    paths.add(
        f"{path}{{code}}/", "Order Instance", DELETE=Operation("delete_order", delete, status=204)
    )
