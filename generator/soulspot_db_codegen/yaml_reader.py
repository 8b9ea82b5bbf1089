"""YAML text to plain data that remembers its places. Stricter than YAML: no aliases, tags, duplicate keys or guesses.

Built on the parser's events, so that nothing is ever constructed but text, numbers, true, false and null. `no` and
`on` are text and `010` is too: a schema means what it says.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml

__all__ = ["Mark", "Tree", "YamlError", "read_yaml"]

Path: TypeAlias = tuple[str | int, ...]
Mark: TypeAlias = tuple[int, int]
"""Line and column, from 1."""

_MAX_DEPTH = 16
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,39})")
_FLOAT = re.compile(r"[-+]?(?:[0-9]{1,40}\.[0-9]{0,40}|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,4})?")
_WORDS: Mapping[str, object] = {"": None, "~": None, "null": None, "true": True, "false": False}
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlError(Exception):
    """Text that is not YAML, or more than we read."""

    def __init__(self, message: str, mark: Mark) -> None:
        super().__init__(message)
        self.message = message
        self.mark = mark


@dataclass(frozen=True, slots=True)
class Tree:
    """Data, with the place of every key and every value by its path from the top."""

    data: Any
    keys: Mapping[Path, Mark]
    values: Mapping[Path, Mark]


def read_yaml(text: str) -> Tree:
    """Read one document.

    Raises:
        YamlError: the text is not YAML, or uses what schemas may not use.
    """
    try:
        return _Reader(text).read()
    except yaml.MarkedYAMLError as error:
        mark = _mark(error.problem_mark or error.context_mark)
        message = " ".join(str(part) for part in (error.context, error.problem) if part)
        raise YamlError(_tab(text, mark) or message, mark) from error
    except yaml.YAMLError as error:
        raise YamlError(str(error).partition("\n")[0], _find(text, getattr(error, "character", ""))) from error


class _Reader:
    def __init__(self, text: str) -> None:
        self._events: Iterator[Any] = iter(yaml.parse(text, Loader=_Loader))
        self._keys: dict[Path, Mark] = {}
        self._values: dict[Path, Mark] = {}

    def read(self) -> Tree:
        next(self._events)  # the stream begins
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise YamlError("the file is empty", (1, 1))
        data = self._node(next(self._events), ())
        next(self._events)  # the document ends
        if not isinstance(after := next(self._events), yaml.StreamEndEvent):
            raise YamlError(
                "a file holds one document; start another file for the next entity", _mark(after.start_mark)
            )
        return Tree(data, self._keys, self._values)

    def _node(self, event: Any, path: Path) -> Any:
        self._values[path] = mark = _mark(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            raise YamlError(f"aliases are not allowed: write the value of *{event.anchor} here", mark)
        if event.tag is not None and event.tag != "!":
            raise YamlError(f"tags are not allowed: {event.tag}", mark)
        if len(path) > _MAX_DEPTH:
            raise YamlError(f"nested more than {_MAX_DEPTH} levels deep", mark)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return _scalar(event.value) if event.implicit[0] else event.value

    def _mapping(self, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            mark = _mark(event.start_mark)
            if not isinstance(event, yaml.ScalarEvent) or (
                event.implicit[0] and not isinstance(_scalar(event.value), str)
            ):
                raise YamlError("a key is text", mark)
            key = event.value
            if key in found:
                raise YamlError(f"{key!r} stands here twice; first in line {self._keys[*path, key][0]}", mark)
            self._keys[*path, key] = mark
            found[key] = self._node(next(self._events), (*path, key))
        return found

    def _sequence(self, path: Path) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            found.append(self._node(event, (*path, len(found))))
        return found


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _find(text: str, character: object) -> Mark:
    before = text.partition(chr(character))[0] if isinstance(character, int) else ""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _tab(text: str, mark: Mark) -> str | None:
    """What to say where the indentation of the line is what cannot be read."""
    line = text.split("\n")[mark[0] - 1 : mark[0]]
    if line and "\t" in line[0][: len(line[0]) - len(line[0].lstrip())]:
        return "a tab stands before the text of this line: YAML is indented with spaces"
    return None


def _mark(mark: Any) -> Mark:
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
