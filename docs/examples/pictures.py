"""Takes the pictures of the statistics card that the documentation shows, from a database that is at work.

Run it with `make pictures`. It needs Chromium, takes two minutes, and works in a temporary folder.
"""

import asyncio
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from demo import totals
from demo_parts import commands
from demo_parts.display import Display
from demo_parts.page import served
from demo_parts.size import FULL
from demo_parts.workload import Workload
from playwright.async_api import async_playwright
from rich.console import Console
from soulspot_db import Database, DatabaseSettings

_DOCS = Path(__file__).parents[1]
_PICTURES = (("card-light", "light", 960), ("card-dark", "dark", 960), ("card-phone", "light", 375))
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


async def browse(db: Database, seconds: float) -> None:
    """What users do in a library: look at pages of it, search, and now and then change something."""
    end = time.monotonic() + seconds
    tracks = await db.query("track", limit=3_000)
    while (left := end - time.monotonic()) > 0:
        pace = 0.004 + 0.02 * abs((left / seconds * 5) % 2 - 1)  # they come and go
        some = random.sample(tracks, 40)
        await asyncio.gather(*(db.get("track", track["id"]) for track in some))
        await db.count("track", {"title": {"contains": random.choice("aeiou")}})
        if random.random() < 0.2:
            await db.update("track", some[0]["id"], {"title": some[0]["title"]})
        await asyncio.sleep(pace)


async def photograph(address: str, chromium: str) -> None:
    """The page in both themes, and on a phone."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        for name, theme, width in _PICTURES:
            page = await browser.new_page(
                color_scheme="dark" if theme == "dark" else "light", viewport={"width": width, "height": 400}
            )
            await page.goto(f"{address}?refresh=off")
            await page.locator("#soulspot-db-card").screenshot(path=_DOCS / f"{name}.png")
        await browser.close()


async def main(seconds: float) -> int:
    """Work, and take the pictures while at it."""
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = os.environ.get("TEST_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if chromium is None:
        print("there is no Chromium here; install it, or name it in TEST_CHROMIUM")
        return 1
    console = Console()
    with tempfile.TemporaryDirectory(prefix="soulspot-pictures-") as folder:
        os.chdir(folder)  # so that the picture has a short path in it
        commands.migrate(console, Path(folder, "soulspot.db"))
        settings = DatabaseSettings(database="soulspot.db", database_type="sqlite", slow_query_threshold=0.05)
        async with Database(settings) as db, served(db) as address:
            with Display(console, totals(FULL)) as display:
                await Workload(db, FULL, display).run()
            await browse(db, seconds)
            await photograph(address, chromium)
        os.chdir(_DOCS)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 100.0)))
