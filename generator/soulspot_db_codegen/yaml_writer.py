"""A document as the YAML that a person would have written: a field a line, its name and its rules in two columns."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from soulspot_db_codegen.yaml_reader import YamlError, read_yaml

__all__ = ["entity_yaml"]

_WIDTH = 2**20  # a field stays on its line


class _Dumper(yaml.SafeDumper):
    """Text of several lines in double quotes: plain YAML would fold it over lines of its own."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if value.isprintable() else '"')


_Dumper.add_representer(str, _text)


def entity_yaml(document: Mapping[str, Any]) -> str:
    """The text of an entity's file.

    Args:
        document: what it says, key by key, in this order.

    Raises:
        ValueError: a value that YAML, as schemas are read, cannot hold.
    """
    text = "".join(f"{line}\n" for line in _lines(document))
    try:
        found = read_yaml(text).data
    except YamlError as error:
        raise ValueError(f"some values cannot be written as YAML: {error}") from error
    if found != document:
        raise ValueError("some values cannot be written as YAML")
    return text


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    for key, value in document.items():
        if isinstance(value, dict) and value and all(isinstance(item, dict) for item in value.values()):
            yield f"{key}:"
            names = {name: f"{_flow(name)}:" for name in value}
            width = max(map(len, names.values()))
            yield from (f"  {names[name]:<{width}} {_flow(item)}" for name, item in value.items())
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            yield f"{key}:"
            yield from (f"  - {_flow(item)}" for item in value)
        else:
            yield f"{key}: {_flow(value)}"


def _flow(value: Any) -> str:
    try:
        text: str = yaml.dump(
            value, Dumper=_Dumper, default_flow_style=True, sort_keys=False, allow_unicode=True, width=_WIDTH
        )
    except yaml.YAMLError as error:
        raise ValueError(f"{value!r} cannot be written as YAML") from error
    return text.removesuffix("\n").removesuffix("\n...")
