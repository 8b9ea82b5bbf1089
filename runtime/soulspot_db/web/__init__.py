"""Statistics, health and the statistics card over HTTP, for any ASGI application; needs the extra `web`."""

from soulspot_db.errors import ConfigurationError

try:
    from soulspot_db.web.app import database_app
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] not in {"starlette", "jinja2", "anyio", "markupsafe"}:
        raise
    raise ConfigurationError(
        f"the web part needs more ({missing.name})", "Install it: pip install 'soulspot-db[web]'"
    ) from missing

__all__ = ["database_app"]
