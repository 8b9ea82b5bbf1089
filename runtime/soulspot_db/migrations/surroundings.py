"""Which database a command means, in whatever folder of a project it is called."""

from pathlib import Path

from soulspot_db.migrations.locate import project_root
from soulspot_db.settings import DatabaseSettings

__all__ = ["settings_here"]


def settings_here() -> DatabaseSettings:
    """The settings from the environment, then `.env` in the working directory, then the one beside pyproject.toml.

    A relative path counts from the folder of the `.env` that has it; one in the environment from the working directory.

    Raises:
        ConfigurationError: a value cannot mean anything.
    """
    root = project_root(Path.cwd())
    if root is None:
        return DatabaseSettings()
    found = DatabaseSettings(_env_file=(root / ".env", ".env"))
    if found.database_type != "sqlite" or {"database", "database_path"} & DatabaseSettings().model_fields_set:
        return found
    return found.model_copy(update={"database_path": root / found.database_path})
