"""What the demo does to the database: everything that SoulSpot does in a busy week, at the same time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager

from demo_parts.catalogue import WantedTrack, loose_files, music_folders, wanted_tracks
from demo_parts.clients import FakeSlskd, FakeSpotify
from demo_parts.display import Display
from demo_parts.size import Size
from soulspot.activity import LibraryActivity
from soulspot.downloads import DownloadService
from soulspot.library import LibraryScan
from soulspot.playlists import PlaylistService

from soulspot_db import Database, DatabaseError, Event
from soulspot_db_entities import Repositories
from soulspot_db_entities.library import TrackCreate

__all__ = ["Workload"]

