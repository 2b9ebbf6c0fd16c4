"""What lives as long as the process, and how a request reaches it."""

from typing import TypedDict

from starlette.requests import Request

from dashboard.access.throttle import Throttle
from dashboard.live.hub import Hub
from dashboard.rendering import Renderer
from serving.health import Health
from tracking.database import Database
from tracking.settings import Settings


class State(TypedDict):
    """The lifespan's state."""

    database: Database
    settings: Settings
    renderer: Renderer
    throttle: Throttle
    hub: Hub
    health: Health


def database_of(request: Request) -> Database:
    """The process's database."""
    database: Database = request.state.database
    return database


def settings_of(request: Request) -> Settings:
    """The process's settings."""
    settings: Settings = request.state.settings
    return settings


def renderer_of(request: Request) -> Renderer:
    """What makes pages of templates."""
    renderer: Renderer = request.state.renderer
    return renderer


def throttle_of(request: Request) -> Throttle:
    """What slows down wrong passwords."""
    throttle: Throttle = request.state.throttle
    return throttle


def hub_of(request: Request) -> Hub:
    """What follows the counts for open screens."""
    hub: Hub = request.state.hub
    return hub
