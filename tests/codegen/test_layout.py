"""Code is laid out as the formatter would lay it out, whatever the values."""

import ast
import keyword
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from soulspot_db_codegen.layout import (
    WIDTH,
    Union,
    call,
    declared,
    layout,
    literal,
    one_line,
    prefixed,
    subscript,
    suffixed,
    union,
)
from soulspot_db_codegen.render import docstring

LONG = st.text(st.sampled_from("a'\"\\ \u6f22\u0301\U0001f600"), min_size=20, max_size=130)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | LONG
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5) | st.lists(inner, max_size=5).map(tuple) | st.dictionaries(st.text(), inner)
    ),
    max_leaves=12,
)
# `def` can be spelled with these letters.
WORDS = st.text(st.sampled_from("abcdefgh_"), min_size=1, max_size=60).filter(
    lambda word: not word.startswith("_") and not keyword.iskeyword(word)
)


# The formatter is a process for each example.
OFTEN = pytest.mark.parametrize("times", [15, pytest.param(300, marks=pytest.mark.slow)])


def try_out(times, strategy, check) -> None:
    """Try so many examples."""
    settings(max_examples=times, deadline=None, suppress_health_check=[HealthCheck.too_slow])(given(strategy)(check))()


def formatted(source: str) -> str:
    command = [
        sys.executable,
        "-m",
        "ruff",
        "format",
        "--isolated",
        f"--line-length={WIDTH}",
        "--stdin-filename=x.py",
        "-",
    ]
    done = subprocess.run(command, input=source.encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@given(VALUES)
def test_a_literal_is_its_value(value):
    text = one_line(literal(value))
    assert ast.literal_eval(text) == value
    assert ast.literal_eval(layout(literal(value))) == value
    assert repr(ast.literal_eval(text)) == repr(value), "True is not 1, and -0.0 is not 0"
    assert "\n" not in text
    assert all(char.isprintable() for char in text)


@OFTEN
def test_the_formatter_keeps_literals(times):
    def check(values):
        lines = [layout(prefixed(literal([value]), f"x{number} = ")) for number, value in enumerate(values)]
        lines += [layout(prefixed(literal((value,)), f"y{number} = ")) for number, value in enumerate(values)]
        source = "\n".join(lines) + "\n"
        assert formatted(source) == source

    try_out(times, st.lists(VALUES, min_size=5, max_size=20), check)


@OFTEN
def test_the_formatter_keeps_declarations(times):
    def check(fields):
        lines = ["class X:"]
        for number, (name, kind, nullable, default) in enumerate(fields):
            rule = call("Field", pattern=literal(kind), max_length="5")
            annotation = subscript("Annotated", kind.title(), *([rule] if number % 2 else []), "rules")
            whole = union(annotation, "None") if nullable else annotation
            lines.append(f"    {declared(whole, name, literal(default) if number % 3 else None)}")
            lines.append(f"    {declared(f'{kind.title()} | None' if nullable else kind.title(), name)}")
        source = "\n".join(lines) + "\n"
        ast.parse(source)
        assert formatted(source) == source

    try_out(
        times,
        st.lists(st.tuples(WORDS, WORDS, st.booleans(), st.none() | SCALARS | st.lists(SCALARS)), min_size=5),
        check,
    )


@settings(max_examples=100, deadline=None)
@given(st.text() | st.text(st.sampled_from("\"'\\ .\n\t#{}%aN")), st.sampled_from([0, 4, 8]))
def test_a_docstring_is_one_whatever_it_says(text, indent):
    if not text.strip():
        return
    source = docstring(text, indent)
    value = ast.literal_eval(source)
    assert isinstance(value, str)
    assert value.split()[-1].endswith((".", "?", "!"))
    prose = " ".join(text.split()).replace('"""', "'''")
    if prose.isprintable():
        assert " ".join(value.split()) in {prose, f"{prose}."}


@OFTEN
def test_the_formatter_keeps_docstrings(times):
    def check(texts):
        functions = [f"def f{n}():\n    {docstring(text, 4)}\n" for n, text in enumerate(texts) if text.strip()]
        source = f"{docstring('x')}\n\n\n" + "\n\n".join(functions) if functions else ""
        ast.parse(source)
        assert formatted(source) == source

    try_out(
        times,
        st.lists(st.text(st.sampled_from("\"'\\ .\n\t#{}%aN\u202e\0é漢"), min_size=1), min_size=5, max_size=20),
        check,
    )


class Text(str):
    __slots__ = ()

    def __repr__(self):
        return "__import__('os')"


@pytest.mark.parametrize("value", [Text("x"), {1, 2}, object(), b"x", 1j, [Text("x")], {"a": {"b": Text()}}])
def test_nothing_but_plain_values_becomes_code(value):
    with pytest.raises(TypeError, match="not a plain value"):
        literal(value)


def test_what_fits_stays_on_its_line():
    fits = call("f", "x" * (WIDTH - 3))
    assert layout(fits) == one_line(fits)
    assert layout(fits, trailing=1) == f"f(\n    {'x' * (WIDTH - 3)},\n)"
    assert layout(fits, 4) == f"f(\n        {'x' * (WIDTH - 3)},\n    )"


def test_a_single_subscript_takes_no_comma():
    assert layout(subscript("list", "x" * WIDTH)) == f"list[\n    {'x' * WIDTH}\n]"
    assert layout(subscript("dict", "x" * WIDTH, "y")) == f"dict[\n    {'x' * WIDTH},\n    y,\n]"


def test_a_tuple_of_one_keeps_its_comma():
    assert one_line(literal((1,))) == "(1,)"
    assert layout(literal(("x" * WIDTH,))) == f'(\n    "{"x" * WIDTH}",\n)'


def test_unions():
    assert union("a") == "a"
    assert layout(union("a", "b")) == "a | b"
    half = "x" * (WIDTH // 2 - 4)
    assert layout(prefixed(union(half, half), "kind = ")) == f"kind = (\n    {half} | {half}\n)"
    long = "x" * (WIDTH // 2)
    assert layout(suffixed(union(long, long), " = 1")) == f"(\n    {long}\n    | {long}\n) = 1"
    assert layout(Union("a: ", (long, long), "", is_bare=True), 4) == f"a: {long}\n    | {long}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", '"plain"'),
        ("it's", '"it\'s"'),
        ('say "x"', "'say \"x\"'"),
        ("'\"", '"\'\\""'),
        ("a\nb", '"a\\nb"'),
        ("\u202e", '"\\u202e"'),
        ("Ж", '"Ж"'),
    ],
)
def test_texts_are_quoted_as_the_formatter_quotes_them(value, text):
    assert literal(value) == text
    assert formatted(f"x = {text}\n") == f"x = {text}\n"
