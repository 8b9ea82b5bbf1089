"""The revisions of ours: which of them change rows, and whether those stand before or behind what changes tables."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from soulspot_db.language.history import is_data

__all__ = ["Own", "plain_name", "sort_out", "without_place"]

_PLACE = re.compile(r"^(revision|down_revision|schema_after)\b[^=\n]*=.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Own:
    """Data revisions of ours, by their files' names: before and behind all that changes tables, and between."""

    first: dict[str, str] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)
    between: dict[str, str] = field(default_factory=dict)


def sort_out(ours: Mapping[str, str]) -> Own:
    """Tell revisions apart by which they follow, as they say it themselves; names of files may have been changed.

    Args:
        ours: revisions by their files' names.
    """
    data = {name: text for name, text in sorted(ours.items(), key=lambda item: _number(item[0])) if is_data(text)}
    copies = _copies(data, _follows(ours, {}))
    follows = _follows(ours, copies)
    own = Own()
    for name in (name for name in data if name not in copies):
        is_behind = any(other not in data for other in follows[name])
        is_before = any(name in others and other not in data for other, others in follows.items())
        kind = own.between if is_behind and is_before else own.last if is_behind else own.first
        kind[name] = data[name]
    return own


def _follows(ours: Mapping[str, str], copies: Mapping[str, str]) -> dict[str, set[str]]:
    """For each revision those of ours that it comes after; what follows a copy follows what it is a copy of."""
    names = {identity: copies.get(name, name) for name, text in ours.items() for identity in _said("revision", text)}
    follows: dict[str, set[str]] = {}
    for name in ours:
        seen, waiting = set[str](), [name]
        while waiting:
            parents = {names[parent] for parent in _said("down_revision", ours[waiting.pop()]) if parent in names}
            waiting.extend(parents - seen)
            seen |= parents
        follows[name] = seen
    return follows


def _said(constant: str, text: str) -> list[str]:
    # By its lines: a file in which git has left a conflict is no Python, and says two.
    return re.findall(rf"^{constant}\b[^=\n]*=\s*['\"](\w+)['\"]", text, re.MULTILINE)


def _copies(data: Mapping[str, str], follows: Mapping[str, set[str]]) -> dict[str, str]:
    """Those that a run that was stopped has written to two places, by name: they say the same, and neither follows the other."""
    found: dict[str, str] = {}
    for name, text in data.items():
        others = [other for other in data if other != name and without_place(data[other]) == without_place(text)]
        if name not in found:
            found |= {other: name for other in others if other not in follows[name] and name not in follows[other]}
    return found


def _number(name: str) -> tuple[bool, str]:
    return not re.match(r"\d+_", name), name


def plain_name(name: str) -> str:
    """The name of a revision's file without its number."""
    return re.sub(r"^\d+_", "", name)


def without_place(text: str) -> str:
    """What a revision says, but for its place in the line."""
    return _PLACE.sub("", text)
