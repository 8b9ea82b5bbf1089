"""A project that is edited, with its database."""

import pytest
import servers
from evolutions import Home
from server_evolutions import ServerHome


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "project")


@pytest.fixture
def repository(home):
    """The same in a git repository, with one entity in two modules each, generated and committed."""
    home.root.mkdir()
    home.git("init", "--quiet", "--initial-branch", "main")
    (home.root / ".gitignore").write_text("*.db*\n__pycache__/\n")
    entity = "fields:\n  id: {type: uuid, primary_key: true}\n"
    home.generate({"music/song.yaml": entity, "music/album.yaml": entity})
    home.commit("Begin")
    return home


@pytest.fixture(scope="module")
def database(shared_server):
    """The address of a PostgreSQL server, and an empty database on it of the module's own."""
    with servers.throwaway_database(shared_server) as name:
        yield shared_server, name


@pytest.fixture
def server_home(tmp_path, database):
    """A project whose database is on a server."""
    home = ServerHome(tmp_path, *database)
    yield home
    home.close()
