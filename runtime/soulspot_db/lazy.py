"""Names of a package that are imported when somebody first asks for them (PEP 562)."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

__all__ = ["lazy_attributes"]


def lazy_attributes(names: Mapping[str, Sequence[str]]) -> Callable[[str], object]:
    """A module's `__getattr__`: who uses one name does not pay for importing what is behind the others.

    Args:
        names: what each module, by its full name, provides; a module of a package counts as provided by it.
    """
    modules = {name: module for module, provided in names.items() for name in provided}

    def load(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"there is no {name!r} here")
        module = import_module(modules[name])
        return getattr(module, name) if hasattr(module, name) else import_module(f"{modules[name]}.{name}")

    return load
