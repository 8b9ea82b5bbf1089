"""Believable music: the same artists, albums, tracks and playlists every time, and none that exists."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from soulspot.library import MusicFile
from soulspot.playlists import SpotifyPlaylist

from demo_parts.size import Size

__all__ = ["WantedTrack", "loose_files", "music_folders", "playlists_of", "wanted_tracks"]

_FIRST = ("Paper", "Silver", "Northern", "Hollow", "Velvet", "Glass", "Amber", "Quiet", "Electric", "Marble")
_SECOND = ("Harbour", "Lanterns", "Foxes", "Parade", "Orchard", "Satellites", "Cinema", "Tide", "Avenue")
_MOODS = ("Slow", "Last", "Golden", "Distant", "Broken", "Midnight", "First", "Endless", "Blue", "Borrowed")
_THINGS = ("Summer", "Signal", "Letter", "Garden", "Train", "Weather", "Mirror", "River", "Window", "Season")
_THEMES = (
    "Morning Coffee",
    "Deep Focus",
    "Friday Night",
    "Rainy Sunday",
    "Road Trip",
    "Running 160 bpm",
    "Cooking",
    "Dinner with Friends",
    "Vinyl Finds",
    "New this Month",
    "Guilty Pleasures",
    "Piano Only",
    "Songs from the Nineties",
    "Live Recordings",
    "For the Train",
    "Summer by the Lake",
    "To Fall Asleep",
    "Loud",
    "Discovered on Soulseek",
    "All-Time Favourites",
)
_SOULSEEK_USERS = ("crate_digger", "vinyl_ghost", "lossless_lena", "tape_hiss", "basement_archive")


@dataclass(frozen=True, slots=True)
class WantedTrack:
    """A track that is known from Spotify, whose file is still to be found, and the Soulseek users who share it."""

    spotify_id: str
    title: str
    artist: str
    users: tuple[str, str]
    shared_path: str


def playlists_of(user: str, size: Size) -> list[SpotifyPlaylist]:
    """A user's playlists, as Spotify knows them at the second synchronisation."""
    first = size.users.index(user) * size.playlists_per_user
    return [
        SpotifyPlaylist(
            id=f"37i9dQZF1E{first + number:012d}",
            name=theme,
            description=f"{theme}, by {user.title()}" if number % 3 else None,
            track_count=12 + 7 * number,
        )
        for number, theme in enumerate(_THEMES[: size.playlists_per_user])
    ]


def music_folders(size: Size) -> Iterator[list[MusicFile]]:
    """The music folder, one album at a time; the albums of one artist are far apart, as in a real folder."""
    for album, artist in product(_titles(size.albums_per_artist, skip=40), _artists(size)):
        yield [
            MusicFile(
                path=f"/music/{artist}/{album}/{number:02d} {title}.flac",
                title=title,
                artist=artist,
                album=album,
                track_number=number,
                duration_ms=150_000 + 9_000 * number,
            )
            for number, title in enumerate(_titles(size.tracks_per_album), start=1)
        ]


def loose_files(size: Size) -> Iterator[MusicFile]:
    """Single files beside the albums, by the same artists."""
    artists = _artists(size)
    for number in range(size.loose_files):
        artist, title = artists[number % len(artists)], _title(number // len(artists) + 60)
        yield MusicFile(f"/music/loose/{artist} - {title}.mp3", title, artist, duration_ms=200_000)


def wanted_tracks(size: Size) -> list[WantedTrack]:
    """What is on the playlists and not in the music folder."""
    artists = _artists(size)
    return [
        WantedTrack(
            spotify_id=f"4uLU6hMCjM{number:012d}",
            title=_title(number // len(artists) + 80),
            artist=artists[number % len(artists)],
            users=(
                "gone_fishing" if number % size.offline_every == 0 else _SOULSEEK_USERS[number % 5],
                _SOULSEEK_USERS[(number + 1) % 5],
            ),
            shared_path=rf"@@shared\music\{artists[number % len(artists)]}\{number:04d}.flac",
        )
        for number in range(size.downloads)
    ]


def _artists(size: Size) -> list[str]:
    return [f"{first} {second}" for second, first in product(_SECOND, _FIRST)][: size.artists]


def _titles(count: int, *, skip: int = 0) -> list[str]:
    return [_title(number) for number in range(skip, skip + count)]


def _title(number: int) -> str:
    return f"{_MOODS[number // len(_THINGS) % len(_MOODS)]} {_THINGS[number % len(_THINGS)]}"
