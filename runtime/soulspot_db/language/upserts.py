"""Named upserts: by which fields the row that is there is found, and what becomes of its values."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from pydantic import Field

from soulspot_db.language.exclusive import flags_of_group
from soulspot_db.language.field import Problem
from soulspot_db.language.nearest import nearest
from soulspot_db.language.operators import TEXTS, UNORDERED
from soulspot_db.language.scope import FilterError, HasFields, HasKey, field_of, stored_name
from soulspot_db.language.strict import Document
from soulspot_db.language.values import read_value

__all__ = ["Match", "MatchPart", "Rule", "UpsertDocument", "is_unique", "resolve_upsert"]

_FOLDED = re.compile(r"lower\((?P<trimmed>trim\()?(?P<field>\w+)(?(trimmed)\))\)")
_NOT_COMPARING = ("overwrite", "fill_null", "keep_if_null")
_RULES = ("overwrite", "fill_null", "keep_if_null", "sticky_true", "max", "min")


class UpsertDocument(Document):
    """How a named upsert finds the row that is there, and what it makes of it."""

    match: list[str | list[str]] = Field(
        min_length=1,
        description="In order: a field, or several that go together; `lower(field)` compares ASCII letters of either case, "
        "`lower(trim(field))` without the spaces around them as well. "
        "What is null in the new row is passed over.",
    )
    rules: dict[str, str | dict[str, Any]] = Field(
        {},
        description="For a field: `overwrite` (which is what happens to every field that is given), `fill_null` only where it "
        "was null, `keep_if_null` but with null, `sticky_true`, `max`, `min`, or `{differs: value}` where the two differ.",
    )


@dataclass(frozen=True, slots=True)
class MatchPart:
    """A field that must be equal, perhaps but for the case of ASCII letters, and for the spaces around them."""

    field: str
    folded: bool = False
    trimmed: bool = False

    @property
    def operator(self) -> str:
        """How it is compared."""
        return "trimmed_ieq" if self.trimmed else "ieq" if self.folded else "eq"


Match: TypeAlias = tuple[MatchPart, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of a value that is there."""

    name: str
    otherwise: Any = None


class HasGroups(Protocol):
    """An entity that knows by which fields at most one row is found."""

    @property
    def key(self) -> tuple[str, ...]:
        """The fields of the primary key."""
        ...

    @property
    def unique_groups(self) -> tuple[tuple[str, ...], ...]:
        """The groups of fields that are unique."""
        ...


def is_unique(match: Match, entity: HasGroups) -> bool:
    """Whether at most one row can have these values."""
    fields = {part.field for part in match if not part.folded}
    return any(fields.issuperset(group) for group in (entity.key, *entity.unique_groups))


def resolve_upsert(
    document: UpsertDocument, entity: HasKey, at: tuple[str | int, ...], problems: list[Problem]
) -> tuple[tuple[Match, ...], dict[str, Rule]]:
    """Decide by what rows are found and what becomes of each field; what is wrong goes to `problems`."""
    matches, rules = [], {}
    for position, entry in enumerate(document.match):
        try:
            matches.append(tuple(_parts([entry] if isinstance(entry, str) else entry, entity)))
        except FilterError as error:
            problems.append(Problem((*at, "match", position), str(error)))
    for named, wanted in document.rules.items():
        name = stored_name(named, entity)
        try:
            rule = _rule(name, wanted, entity)
        except FilterError as error:
            problems.append(Problem((*at, "rules", named), str(error)))
            continue
        if rule.name != "overwrite":
            rules[name] = rule
    return tuple(matches), rules


def _parts(texts: Sequence[str], entity: HasFields) -> Iterator[MatchPart]:
    if not texts:
        raise FilterError("a match names at least one field")
    for text in texts:
        folded = _FOLDED.fullmatch(text)
        field = field_of(stored_name(folded["field"] if folded else text, entity), entity)
        if field.encrypted:
            raise FilterError(f"{field.name} is encrypted, so no row is found by it")
        if folded and field.type not in TEXTS:
            raise FilterError(f"lower() is for text, not for {field.type}")
        yield MatchPart(field.name, bool(folded), bool(folded and folded["trimmed"]))


def _rule(name: str, wanted: str | Mapping[str, Any], entity: HasKey) -> Rule:
    field = field_of(name, entity)
    if name in entity.key:
        raise FilterError(f"{name} is part of the key, which cannot be changed")
    if flag := next(flags_of_group(field.name, entity.fields), None):
        raise FilterError(f"{field.name} says among which rows {flag} is exclusive, so no rule can choose its value")
    if field.encrypted and wanted not in _NOT_COMPARING:
        raise FilterError(f"{name} is encrypted, and cannot be compared; it can be {', '.join(_NOT_COMPARING)}")
    if isinstance(wanted, str):
        if wanted not in _RULES:
            hint = nearest(wanted, _RULES) or f"the rules are {', '.join(_RULES)} and {{differs: value}}"
            raise FilterError(f"unknown rule {wanted!r}; {hint}")
        if wanted == "sticky_true" and field.type != "boolean":
            raise FilterError(f"sticky_true is for booleans, and {field.name} is of type {field.type}")
        if wanted in {"max", "min"} and field.type in UNORDERED | {"boolean"}:
            raise FilterError(f"{wanted} is for what has an order, and {field.name} is of type {field.type}")
        return Rule(wanted)
    if wanted.keys() != {"differs"}:
        raise FilterError("a rule is a name or {differs: value}")
    if field.exclusive is not None:
        raise FilterError(f"{field.name} is exclusive, which goes with every rule but differs")
    return Rule("differs", read_value(field, wanted["differs"], entity))
