"""Names of a package that are imported when somebody first asks for them (PEP 562)."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

__all__ = ["lazy_attributes"]


def lazy_attributes(names: Mapping[str, Sequence[str]]) -> Callable[[str], object]:
    """A module's `__getattr__`: generated packages use it so that one entity does not cost the import of all.

    Args:
        names: what each module, by its full name, provides.
    """
    modules = {name: module for module, provided in names.items() for name in provided}

    def load(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"there is no {name!r} here")
        return getattr(import_module(modules[name]), name)

    return load
