"""How much the demo does, and what must be in the database when it is done."""

from dataclasses import dataclass

__all__ = ["FULL", "SMALL", "Size"]


@dataclass(frozen=True, slots=True)
class Size:
    """The demo's numbers; the properties follow from them and never from what was stored."""

    playlists_per_user: int
    artists: int
    albums_per_artist: int
    tracks_per_album: int
    loose_files: int
    downloads: int
    users: tuple[str, ...] = ("mira", "jonas", "leyla")
    workers: int = 8
    new_playlists_per_user: int = 2
    """Those that users make between the two synchronisations."""
    offline_every: int = 20
    """Every so many downloads, the first Soulseek user is offline and a second one has to be asked."""

    @property
    def playlists(self) -> int:
        """All playlists, those of the second synchronisation too."""
        return len(self.users) * self.playlists_per_user

    @property
    def playlists_updated(self) -> int:
        """Those that the second synchronisation finds in the database."""
        return self.playlists - len(self.users) * self.new_playlists_per_user

    @property
    def albums(self) -> int:
        """Loose files belong to no album."""
        return self.artists * self.albums_per_artist

    @property
    def scanned_tracks(self) -> int:
        """What the library scan adds."""
        return self.albums * self.tracks_per_album + self.loose_files

    @property
    def tracks(self) -> int:
        """Scanned tracks, and wanted ones without a file."""
        return self.scanned_tracks + self.downloads

    @property
    def failed_attempts(self) -> int:
        """Downloads whose first user is offline."""
        return len(range(0, self.downloads, self.offline_every))


FULL = Size(playlists_per_user=20, artists=90, albums_per_artist=5, tracks_per_album=10, loose_files=500, downloads=400)
SMALL = Size(playlists_per_user=4, artists=6, albums_per_artist=2, tracks_per_album=3, loose_files=9, downloads=24)
