"""Pages: HTML from the templates in `dashboard/templates`; what is filled in is escaped."""

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from dashboard import formatting
from dashboard.assets import Assets


class Renderer:
    """Makes pages of templates.

    Args:
        assets: the files that pages load.
    """

    def __init__(self, assets: Assets) -> None:
        self._environment = Environment(
            loader=PackageLoader("dashboard"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(formatting.FILTERS)
        self._environment.globals["asset"] = assets.url

    def page(self, template: str, status: int = 200, **context: object) -> HTMLResponse:
        """A page that no cache keeps."""
        content = self._environment.get_template(template).render(context)
        return HTMLResponse(content, status)
