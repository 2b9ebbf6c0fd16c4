"""What lives as long as the process, and how a request reaches it."""

from typing import TypedDict

from starlette.requests import Request

from api.buffering import ResponseBuffers
from api.expensive_reads import ExpensiveReads
from serving.health import Health
from tracking.database import Database
from tracking.settings import Settings
from tracking.token_uses import TokenUses


class State(TypedDict):
    """The lifespan's state."""

    database: Database
    settings: Settings
    token_uses: TokenUses
    response_buffers: ResponseBuffers
    expensive_reads: ExpensiveReads
    health: Health


def database_of(request: Request) -> Database:
    """The process's database."""
    database: Database = request.state.database
    return database


def settings_of(request: Request) -> Settings:
    """The process's settings."""
    settings: Settings = request.state.settings
    return settings


def token_uses_of(request: Request) -> TokenUses:
    """Where the process notes that tokens are used."""
    token_uses: TokenUses = request.state.token_uses
    return token_uses


def response_buffers_of(request: Request) -> ResponseBuffers:
    """The process's large answers."""
    response_buffers: ResponseBuffers = request.state.response_buffers
    return response_buffers


def expensive_reads_of(request: Request) -> ExpensiveReads:
    """The process's searches, sorts and large pages."""
    expensive_reads: ExpensiveReads = request.state.expensive_reads
    return expensive_reads
