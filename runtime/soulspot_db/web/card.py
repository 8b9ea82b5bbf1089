"""The statistics card, as a fragment for HTMX and as a page."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from soulspot_db.errors import DatabaseError
from soulspot_db.web.view import details, verdict
from soulspot_db.web.words import printable

__all__ = ["render_card", "render_page"]


def render_card(figures: Mapping[str, Any] | DatabaseError, health: Mapping[str, Any], *, root: str = "") -> str:
    """The fragment.

    Args:
        figures: what `stats(detail="full")` returned, or why there is none.
        health: what `health()` returned.
        root: where the application is mounted.
    """
    return _render("fragment.html", figures, health, root=root)


def render_page(
    figures: Mapping[str, Any] | DatabaseError, health: Mapping[str, Any], *, root: str = "", seconds: int | None = None
) -> str:
    """The page around it; of `seconds`, it says how often it is loaded again."""
    return _render("page.html", figures, health, root=root, seconds=seconds)


def _render(template: str, figures: Mapping[str, Any] | DatabaseError, health: Mapping[str, Any], **more: Any) -> str:
    return (
        _environment()
        .get_template(f"{template}.jinja")
        .render(
            health=verdict(health),
            details=None if isinstance(figures, DatabaseError) else details(figures),
            reason=printable(figures.message, 400) if isinstance(figures, DatabaseError) else "",
            **more,
        )
    )


@cache
def _environment() -> Environment:
    # What is printed comes from everywhere: names, statements and errors are text and never markup.
    return Environment(
        loader=PackageLoader("soulspot_db.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
