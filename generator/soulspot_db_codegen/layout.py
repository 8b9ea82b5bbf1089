"""Python text laid out as `ruff format` lays it out, so that generated files are final as they are printed.

What does not fit on a line is opened at its brackets, one item a line with a comma after each; the formatter keeps
what is opened so. Unions are put in parentheses of their own. The templates need no more than that.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias
from unicodedata import category, east_asian_width

__all__ = [
    "WIDTH",
    "Brackets",
    "Expression",
    "Union",
    "call",
    "columns",
    "declared",
    "layout",
    "literal",
    "one_line",
    "prefixed",
    "subscript",
    "suffixed",
    "union",
]

WIDTH = 120
_STEP = 4


@dataclass(frozen=True, slots=True)
class Brackets:
    """`before` with an opening bracket, items, and `after` with a closing one; a tuple of one closes with `,)`."""

    before: str
    items: "tuple[Expression, ...]"
    after: str


@dataclass(frozen=True, slots=True)
class Union:
    """`before`, items with `|` between them, `after`; a single item is text that may be put in parentheses.

    `is_bare` where no parentheses are allowed, as in a parameter.
    """

    before: str
    items: "tuple[Expression, ...]"
    after: str
    is_bare: bool = False


Expression: TypeAlias = str | Brackets | Union
"""Text that stays in one piece, or something that may be opened."""


def call(function: str, *items: Expression, **options: Expression) -> Brackets:
    """`function(items, option=value)`."""
    named = (prefixed(value, f"{name}=") for name, value in options.items())
    return Brackets(f"{function}(", (*items, *named), ")")


def subscript(name: str, *items: Expression) -> Brackets:
    """`name[items]`."""
    return Brackets(f"{name}[", items, "]")


def union(first: Expression, *others: Expression) -> Expression:
    """`first | other`, or `first` alone."""
    return Union("", (first, *others), "") if others else first


def prefixed(value: Expression, prefix: str) -> Expression:
    """`prefix` in front of an expression."""
    return prefix + value if isinstance(value, str) else replace(value, before=prefix + value.before)


def suffixed(value: Expression, suffix: str) -> Expression:
    """`suffix` behind an expression."""
    return value + suffix if isinstance(value, str) else replace(value, after=value.after + suffix)


def declared(annotation: Expression, name: str, default: Expression | None = None, indent: int = 4) -> str:
    """`name: annotation = default`, as a class body declares a field."""
    kind = Union("", tuple(annotation.split(" | ")), "") if isinstance(annotation, str) else annotation
    target = replace(kind, before=f"{name}: {kind.before}")
    if default is None:
        return layout(target, indent)
    value = default
    if isinstance(default, str) and (isinstance(target, Union) or default.endswith(('"', "'"))):
        value = default if default.startswith("-") else Union("", (default,), "")
    if isinstance(value, str):  # the annotation is opened before this would be put in parentheses
        return layout(suffixed(target, f" = {value}"), indent)
    line = f"{one_line(target)} = "
    # The value is opened first, or put in parentheses, as long as what stands before it fits.
    if indent + columns(line) + len(value.before) + isinstance(value, Union) <= WIDTH:
        return layout(prefixed(value, line), indent)
    if indent + columns(line) < WIDTH and indent + _STEP + columns(one_line(value)) <= WIDTH:
        return layout(Union(line, (one_line(value),), ""), indent)
    end = "] = " if isinstance(target, Brackets) else ") = "
    return layout(suffixed(target, layout(prefixed(value, end), indent)[1:]), indent)


def one_line(value: Expression) -> str:
    """The expression on one line, however long."""
    if isinstance(value, str):
        return value
    separator = ", " if isinstance(value, Brackets) else " | "
    return f"{value.before}{separator.join(map(one_line, value.items))}{value.after}"


def columns(text: str) -> int:
    """How wide a text is shown: East Asian characters take two columns, combining ones none."""
    if text.isascii():
        return len(text)
    wide = sum(east_asian_width(char) in {"W", "F"} for char in text)
    return len(text) + wide - sum(category(char) in {"Mn", "Me", "Cf"} for char in text)


def layout(value: Expression, indent: int = 0, *, trailing: int = 0) -> str:
    """The expression, opened where it does not fit.

    Args:
        value: what to lay out; its first line is not indented, because the template has done that.
        indent: the columns in front of it.
        trailing: the columns needed behind it.
    """
    line = one_line(value)
    if isinstance(value, str) or not value.items or indent + columns(line) + trailing <= WIDTH:
        return line
    if isinstance(value, Union):
        return _open_union(value, indent)
    inner = indent + _STEP
    # A single subscript takes no comma: `list[x,]` would be another type.
    comma = "" if value.before.endswith("[") and len(value.items) == 1 else ","
    lines = (f"{' ' * inner}{layout(item, inner, trailing=len(comma))}{comma}" for item in value.items)
    return "\n".join([value.before, *lines, " " * indent + value.after.removeprefix(",")])


def _open_union(value: Union, indent: int) -> str:
    inner = indent if value.is_bare else indent + _STEP
    together = " | ".join(map(one_line, value.items))
    if len(value.items) > 1 and (value.is_bare or inner + columns(together) > WIDTH):
        first, *others = value.items
        lines = [layout(first, inner), *(layout(prefixed(item, "| "), inner) for item in others)]
    else:
        lines = [together]
    text = ("\n" + " " * inner).join(lines)
    if value.is_bare:
        return value.before + text + value.after
    return f"{value.before}(\n{' ' * inner}{text}\n{' ' * indent}){value.after}"


def literal(value: Any) -> Expression:
    """A builtin value as Python source.

    Raises:
        TypeError: anything but None, bool, int, float, str and lists, tuples and dicts of these.
    """
    kind = type(value)  # exactly: the repr of a subclass could be any code
    if kind is str:
        return _text(value)
    if value is None or kind in {bool, int}:
        return repr(value)
    if kind is float:
        return repr(value).replace("e+", "e")
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
        return Brackets("(", (literal(value[0]),), ",)")
    return Brackets("(", tuple(map(literal, value)), ")")


def _text(value: str) -> str:
    text = repr(value)
    body = text[1:-1]
    if text[0] == '"' or value.count('"') > value.count("'"):
        return text
    # Double quotes, as the formatter wants them where that costs no more backslashes.
    return '"' + body.replace("\\'", "'").replace('"', '\\"') + '"'
