"""Takes the pictures of the statistics card that the documentation shows, from a database that is at work.

Run it with `make pictures`. It needs Chromium, takes two minutes, and works in a temporary folder.
"""

import asyncio
import math
import os
import random
import shutil
import sys
import tempfile
import time
from itertools import count
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
_PICTURES = (("card-light", "light", 880), ("card-dark", "dark", 880), ("card-phone", "light", 375))
# Text in grey, which makes smaller files.
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-lcd-text",
]
_SLOW = 0.004  # seconds; what is slow for five thousand tracks


async def browse(db: Database) -> None:
    """What users do in a library: look at tracks, search, and now and then change something."""
    tracks = await db.query("track", limit=900)
    for step in count():
        for track in random.choices(tracks, k=20):
            await db.get("track", track["id"])
        letter = random.choice("aeiou")
        await db.query(
            "track", {"album_id": None, "artist": {"contains": letter}}, "duration_ms DESC, file_path", limit=20
        )
        if step % 7 == 0:
            await db.query(
                "track", {"audio_bitrate": {"gte": 320}}, "file_path", limit=20
            )  # nobody has thought of an index
        if step % 5 == 0:
            track = random.choice(tracks)
            async with db.transaction() as tx:
                await tx.update("track", track["id"], {"genre": random.choice(["jazz", "folk", "techno"])})
        await asyncio.sleep(0.03 + 0.02 * math.sin(time.monotonic() / 9))  # they come and go


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
        settings = DatabaseSettings(database="soulspot.db", database_type="sqlite", slow_query_threshold=_SLOW)
        async with Database(settings) as db:
            with Display(console, totals(FULL)) as display:
                await Workload(db, FULL, display).run()
        # Opened anew, so that the picture is of a day like any other.
        async with Database(settings) as db, served(db) as address:
            users = [asyncio.create_task(browse(db)) for _ in range(4)]
            await asyncio.wait(users, timeout=seconds)
            await photograph(address, chromium)
            for user in users:
                user.cancel()
            await asyncio.wait(users)
        os.chdir(_DOCS)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 100.0)))
