"""The documentation says what the code does: names, defaults, links and examples are checked against it.

In docs/, a fenced `python` block of the pages in `PAGES_THAT_RUN` is executed: all blocks of one page in order, in one
namespace, with `await` at top level, in an empty folder and with an empty registry. A `py` block shows signatures and is
only parsed. The page about testing is a project of its own, which pytest runs.
"""

import ast
import inspect
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import servers
from pydantic import AliasChoices
from soulspot_db import DatabaseError, DatabaseService, DatabaseSettings, EntityRegistry, EntitySchema
from soulspot_db_codegen.naming import TAKEN_METHODS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
PAGES_THAT_RUN = (
    *("api", "caching", "configuration", "errors", "events", "transactions"),
    *sorted(f"howto/{page.stem}" for page in DOCS.glob("howto/*.md")),
)

_FENCE = re.compile(r"^```(?P<language>\S*)[^\n]*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (?P<text>.+)$", re.MULTILINE)


def error_classes(base: type[DatabaseError] = DatabaseError) -> Iterator[type[DatabaseError]]:
    yield base
    for child in base.__subclasses__():
        if child.__module__.startswith("soulspot_db."):
            yield from error_classes(child)


def settings() -> Iterator[tuple[str, str, Any]]:
    """Variable, attribute and default of every setting."""
    for name, field in DatabaseSettings.model_fields.items():
        alias = field.validation_alias
        variable = alias.choices[0] if isinstance(alias, AliasChoices) else f"DATABASE_{name.upper()}"
        yield str(variable), name, field.default


def as_documented(default: Any) -> str:
    if default in (None, ()):
        return "unset"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def blocks(page: Path, language: str) -> list[tuple[int, str]]:
    """The fenced blocks of one language, each with the number of its first line."""
    text = page.read_text("utf-8")
    return [
        (text.count("\n", 0, found.start("text")), found["text"])
        for found in _FENCE.finditer(text)
        if found["language"] == language
    ]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    prose = _FENCE.sub("", page.read_text("utf-8"))
    plain = (re.sub(r"[^\w\- ]", "", found["text"].lower()) for found in _HEADING.finditer(prose))
    return {text.replace(" ", "-") for text in plain}


def section(page: str, heading: str) -> str:
    """The text below one heading, up to the next."""
    return (DOCS / page).read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def first_names(text: str) -> set[str]:
    """The names with which the code in the first column of the tables of a text begins."""
    cells = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`(?:await )?(\w+)", cell)}


def documents() -> list[Path]:
    return [ROOT / "README.md", *PAGES]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("error", list(error_classes()), ids=lambda error: error.__name__)
def test_every_error_leads_to_a_page_that_explains_its_code(error: type[DatabaseError]):
    page = DOCS / "troubleshooting" / f"{error.page}.md"
    assert page.is_file()
    assert error.code.lower() in anchors(page)


@pytest.mark.parametrize("error", list(error_classes()), ids=lambda error: error.__name__)
def test_every_error_code_has_a_row_that_links_to_its_explanation(error: type[DatabaseError]):
    rows = [
        line for line in (DOCS / "errors.md").read_text("utf-8").splitlines() if line.startswith(f"| `{error.code}`")
    ]
    assert len(rows) == 1
    assert f"](troubleshooting/{error.page}.md#{error.code.lower()})" in rows[0]


def test_the_error_page_draws_the_tree_that_the_code_draws():
    tree = inspect.getdoc(inspect.getmodule(DatabaseError))
    assert tree is not None
    branches = [line for line in tree.splitlines() if "──" in line]
    page = (DOCS / "errors.md").read_text("utf-8")
    assert branches
    assert [line for line in branches if line not in page] == []


@pytest.mark.parametrize(("variable", "attribute", "default"), list(settings()), ids=[row[0] for row in settings()])
def test_every_setting_is_documented_with_its_variable_and_default(variable: str, attribute: str, default: Any):
    page = (DOCS / "configuration.md").read_text("utf-8")
    assert f"| `{variable}` | `{attribute}` | {as_documented(default)} |" in page


def test_the_settings_table_lists_nothing_that_does_not_exist():
    table = (DOCS / "configuration.md").read_text("utf-8").partition("## All settings")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert sorted(listed) == sorted(variable for variable, _, _ in settings())


def test_the_table_of_the_facade_lists_all_of_it():
    members = {name for name in vars(DatabaseService) if not name.startswith("_")}
    assert members - {"session"} - first_names(section("api.md", "The facade")) == set()


def test_the_table_of_hand_written_schemas_lists_every_attribute_that_is_written_by_hand():
    generated = {"cascades", "model", "create_model", "update_model", "table"}
    attributes = set(inspect.get_annotations(EntitySchema)) - generated
    assert attributes - first_names(section("api.md", "Hand-written schemas")) == set()


def test_the_section_about_typed_repositories_names_every_method_that_they_can_have():
    kept = {"schema", "bool", "bytes", "float", "int", "list", "str", "tuple"}
    text = section("api.md", "Typed repositories")
    assert [name for name in sorted(TAKEN_METHODS - kept) if not re.search(rf"(def |`){name}\b", text)] == []


def test_the_table_of_extras_lists_those_that_change_anything_for_users():
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"])
    listed = re.findall(r"^\| `soulspot-db\[(\w+)\]`", section("projects.md", "The extras"), re.MULTILINE)
    assert extras - {"bench", "dev"} == set(listed)


@pytest.mark.parametrize("page", documents(), ids=named)
def test_every_relative_link_leads_somewhere(page: Path):
    broken = []
    for found in _LINK.finditer(_FENCE.sub("", page.read_text("utf-8"))):
        target, _, anchor = found["target"].partition("#")
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path = (page.parent / target).resolve() if target else page
        if not path.exists() or (anchor and path.suffix == ".md" and anchor not in anchors(path)):
            broken.append(found["target"])
    assert broken == []


def test_the_index_links_every_page_beside_it():
    text = (DOCS / "index.md").read_text("utf-8")
    missing = [page.name for page in DOCS.glob("*.md") if page.name != "index.md" and f"]({page.name})" not in text]
    assert missing == []


@pytest.mark.parametrize("page", PAGES_THAT_RUN)
async def test_the_examples_of_a_page_run_from_top_to_bottom(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    for variable in [
        name
        for name in os.environ
        if name.upper() in {"CACHE", "ENCRYPTION_KEYS"} or name.upper().startswith("DATABASE")
    ]:
        monkeypatch.delenv(variable)
    file = DOCS / f"{page}.md"
    examples = blocks(file, "python")
    assert examples
    namespace: dict[str, Any] = {"__name__": f"docs_{page}"}
    with EntityRegistry.isolated():
        try:
            for line, text in examples:
                # Empty lines before it, so that a traceback names the line of the page.
                source = "\n" * line + text
                code = compile(source, str(file), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
                waiting = eval(code, namespace)
                if inspect.isawaitable(waiting):
                    await waiting
        finally:
            if "db" in namespace:
                await namespace["db"].close()


def test_the_tests_that_the_testing_page_shows_pass(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    for _, text in blocks(DOCS / "testing.md", "python"):
        name = text.partition("\n")[0].removeprefix("# ")
        (pytester.path / name).write_text(text, "utf-8")
    with servers.postgres_server(fsync="off") as server, servers.throwaway_database(server.address) as name:
        monkeypatch.setenv("TEST_DATABASE", f"{server.address.host}:{server.address.port}/{name}")
        # The plugins of hypothesis and anyio, of no use there, take longer to import than the tests to run.
        without = [part for name in ("cacheprovider", "anyio", "hypothesispytest") for part in ("-p", f"no:{name}")]
        result = pytester.runpytest_subprocess("--asyncio-mode=auto", *without)
    result.assert_outcomes(passed=5)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_signature_block_is_python(page: Path):
    for _, text in blocks(page, "py"):
        compile(text, str(page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST, dont_inherit=True)
