"""`soulspot-db --help`: every command with what it does, and nothing imported for it."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import soulspot_db
from soulspot_db.cli import main
from soulspot_db.cli.summary import summary

OURS = [
    "backup",
    "cache",
    "check",
    "diff",
    "doctor",
    "generate",
    "init",
    "keys",
    "migrate",
    "new",
    "optimize",
    "rebase",
    "restore",
    "schema",
    "shell",
    "stats",
]
HEAVY = ["alembic", "jinja2", "pydantic", "soulspot_db.database", "soulspot_db_codegen", "sqlalchemy", "yaml"]


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Installs a package with commands: their source, by name."""

    def install(**commands):
        info = tmp_path / "site/plugin-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\n")
        lines = [f"{name} = plugin_{name}.commands:run\n" for name in commands]
        (info / "entry_points.txt").write_text(f"[soulspot_db.commands]\n{''.join(lines)}")
        for name, source in commands.items():
            (tmp_path / f"site/plugin_{name}").mkdir()
            (tmp_path / f"site/plugin_{name}/__init__.py").write_text("")
            (tmp_path / f"site/plugin_{name}/commands.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path / "site")

    return install


def listed(text):
    lines = text.partition("Commands:\n")[2].splitlines()
    return {line.split()[0]: line.partition(line.split()[0])[2].strip() for line in lines}


def modules_after(statement):
    code = f"import sys\n{statement}\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


def test_every_command_is_listed_with_the_first_line_of_its_help(cli):
    outcome = cli("--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert sorted(listed(outcome.out)) == OURS
    for name, text in listed(outcome.out).items():
        command = main.get_command(click.Context(main), name)
        assert inspect.cleandoc(command.help).splitlines()[0] == text
        assert text.endswith(".")


def test_the_documentation_lists_every_command_with_every_option(cli):
    page = (Path(__file__).parents[2] / "docs/projects.md").read_text("utf-8")
    table = page.partition("## The commands")[2].partition("\n\nCommands")[0]
    documented = {}
    for row in re.findall(r"^\| `(\w+)[^|]*\|[^|]*\|(.*)\|$", table, re.MULTILINE):
        documented.setdefault(row[0], set()).update(re.findall(r"(?<=`)--?[a-z-]+", row[1]))
    found = {}
    for name in OURS:
        command = main.get_command(click.Context(main), name)
        parts = command.commands.values() if isinstance(command, click.Group) else [command]
        found[name] = {option for part in parts for item in part.params for option in item.opts if option[0] == "-"}
    assert documented == found


def test_nothing_is_imported_to_list_the_commands():
    loaded = modules_after("from soulspot_db.cli import main; main(['--help'], standalone_mode=False)")
    assert "click" in loaded
    assert loaded & set(HEAVY) == set()


@pytest.mark.slow
def test_every_command_can_be_the_first_that_is_imported():
    # Libraries are what most of the time goes to, and what does not depend on the order.
    code = """
import os, sys
import alembic.command, jinja2, pydantic_settings, sqlalchemy.ext.asyncio, yaml
for name in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        from soulspot_db.cli import main
        main([name, "--help"])
    assert os.waitpid(child, 0)[1] == 0, name
"""
    done = subprocess.run([sys.executable, "-c", code, *OURS], capture_output=True, text=True, check=True)
    assert done.stdout.count("Usage: ") == len(OURS)
    assert done.stderr == ""


def test_importing_the_runtime_costs_nothing_before_a_name_of_it_is_used():
    assert modules_after("import soulspot_db") & set(HEAVY) == set()
    assert "soulspot_db.database" in modules_after("from soulspot_db import Database")


def test_the_lazy_names_are_those_that_type_checkers_see():
    (branch,) = (node for node in ast.parse(inspect.getsource(soulspot_db)).body if isinstance(node, ast.If))
    seen = {item.module: [name.name for name in item.names] for item in branch.body}
    (assigned,) = branch.orelse
    assert ast.literal_eval(assigned.value.args[0]) == seen


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Databse"):
        _ = soulspot_db.Databse
    with pytest.raises(ImportError):
        from soulspot_db import Databse  # noqa: F401


def test_a_command_of_another_package_is_listed_without_importing_it(cli, plugin):
    plugin(export='raise SystemExit("imported")\ndef run():\n    """Write the data down.\n\n    All of it."""\n')
    assert listed(cli("--help").out)["export"] == "Write the data down."


@pytest.mark.parametrize("source", ["def run(:\n", "\0", "run = 3\n", "def other(): ...\n"])
def test_a_command_whose_source_says_nothing_is_listed_all_the_same(cli, plugin, source):
    plugin(export=source)
    assert listed(cli("--help").out)["export"] == ""


def test_a_command_of_another_package_runs(cli, plugin):
    plugin(hello="import click\n@click.command()\ndef run():\n    click.echo('hello')\n")
    assert cli("hello").out == "hello\n"


def test_another_package_cannot_take_our_names(cli, plugin):
    plugin(migrate='def run():\n    """Something else."""\n')
    assert listed(cli("--help").out)["migrate"] == "Bring the database named by DATABASE to the newest revision."


@pytest.mark.parametrize("place", ["nothing_of_this_name:run", "soulspot_db.nothing:run", "soulspot_db:run", ":", ""])
def test_a_place_that_is_not_there_has_no_summary(place):
    assert summary(place) == ""


def test_a_missing_extra_is_one_line_that_says_what_to_install(tmp_path):
    # `None` is how Python marks a module that cannot be imported.
    code = "import sys; sys.modules['jinja2'] = None; from soulspot_db.cli import main; main(prog_name='soulspot-db')"
    done = subprocess.run(
        [sys.executable, "-c", code, "generate"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "Error: `soulspot-db generate` needs the module 'jinja2', which is not installed: "
        "pip install 'soulspot-db[codegen]'\n"
    )


def test_a_missing_module_of_another_package_names_who_asks_for_it(cli, plugin):
    plugin(export="import missing_thing\n")
    outcome = cli("export")
    assert (outcome.code, outcome.out) == (2, "")
    assert "'missing_thing', which is not installed; plugin_export.commands asks for it" in outcome.err


def test_an_unknown_command_is_wrong_usage(cli):
    outcome = cli("genrate")
    assert (outcome.code, outcome.out) == (2, "")
    assert "No such command 'genrate'" in outcome.err


def test_the_script_that_is_installed_is_this_command_line():
    script = Path(sys.executable).with_name("soulspot-db")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("soulspot-db, version ")
