"""The web's tests share the databases of the runtime's."""

import asyncio  # noqa: F401
