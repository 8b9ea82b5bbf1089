"""A project that is edited, with its database."""

import pytest
from evolutions import Home


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
