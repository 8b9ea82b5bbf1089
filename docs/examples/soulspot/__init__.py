"""Feature modules of SoulSpot, as their authors write them; none of them knows SQL.

- `playlists` and `downloads` use the facade: entity types by name, dicts in, dicts out.
- `library` and `liked_songs` use the typed repositories that are generated from the schemas.
- `activity` neither reads nor writes; it listens to events.
"""

import soulspot_db_entities  # noqa: F401 - makes every entity type known, once for the whole application
