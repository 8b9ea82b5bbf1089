"""Python text laid out as `ruff format` lays it out, so that generated files are final as they are printed.

What does not fit on a line is opened at its brackets, one item a line with a comma after each; the formatter keeps
what is opened so. Only brackets with items in them are opened, which is all that the templates need.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = ["WIDTH", "Brackets", "Expression", "call", "layout", "literal", "one_line", "subscript"]

WIDTH = 120
_STEP = 4


@dataclass(frozen=True, slots=True)
class Brackets:
    """`before` and an opening bracket, items, a closing bracket and `after`."""

    before: str
    items: "tuple[Expression, ...]"
    after: str


Expression: TypeAlias = str | Brackets
"""Text that stays in one piece, or brackets that may be opened."""


def call(function: str, *items: Expression, **options: Expression) -> Brackets:
    """`function(items, option=value)`."""
    named = (prefixed(value, f"{name}=") for name, value in options.items())
    return Brackets(f"{function}(", (*items, *named), ")")


def subscript(name: str, *items: Expression) -> Brackets:
    """`name[items]`."""
    return Brackets(f"{name}[", items, "]")


def prefixed(value: Expression, prefix: str) -> Expression:
    """`prefix` in front of an expression."""
    return prefix + value if isinstance(value, str) else Brackets(prefix + value.before, value.items, value.after)


def suffixed(value: Expression, suffix: str) -> Expression:
    """`suffix` behind an expression."""
    return value + suffix if isinstance(value, str) else Brackets(value.before, value.items, value.after + suffix)


def one_line(value: Expression) -> str:
    """The expression on one line, however long."""
    if isinstance(value, str):
        return value
    return f"{value.before}{', '.join(map(one_line, value.items))}{value.after}"


def layout(value: Expression, indent: int = 0, *, trailing: int = 0) -> str:
    """The expression, opened where it does not fit.

    Args:
        value: what to lay out; its first line is not indented, because the template has done that.
        indent: the columns in front of it.
        trailing: the columns needed behind it.
    """
    line = one_line(value)
    if isinstance(value, str) or not value.items or indent + len(line) + trailing <= WIDTH:
        return line
    inner = indent + _STEP
    # A single subscript takes no comma: `list[x,]` would be another type.
    comma = "" if value.before.endswith("[") and len(value.items) == 1 else ","
    lines = (f"{' ' * inner}{layout(item, inner, trailing=len(comma))}{comma}" for item in value.items)
    return "\n".join([value.before, *lines, " " * indent + value.after])


def literal(value: Any) -> Expression:
    """A builtin value as Python source.

    Raises:
        TypeError: anything but None, bool, int, float, str and lists, tuples and dicts of these.
    """
    kind = type(value)  # exactly: the repr of a subclass could be any code
    if kind is str:
        return _text(value)
    if value is None or kind in {bool, int, float}:
        return repr(value)
    if kind is list:
        return Brackets("[", tuple(map(literal, value)), "]")
    if kind is tuple:
        return _tuple(value)
    if kind is dict:
        return Brackets("{", tuple(_pairs(value.items())), "}")
    raise TypeError(f"not a plain value: {kind.__name__}")


def _pairs(items: Iterable[tuple[Any, Any]]) -> Iterable[Expression]:
    for key, value in items:
        yield prefixed(literal(value), f"{one_line(literal(key))}: ")


def _tuple(value: tuple[Any, ...]) -> Expression:
    if len(value) == 1:
        return f"({one_line(literal(value[0]))},)"
    return Brackets("(", tuple(map(literal, value)), ")")


def _text(value: str) -> str:
    text = repr(value)
    body = text[1:-1]
    if text[0] == '"' or value.count('"') > value.count("'"):
        return text
    # Double quotes, as the formatter wants them where that costs no more backslashes.
    return '"' + body.replace("\\'", "'").replace('"', '\\"') + '"'
