"""The table of outputs: which template makes which file, once per entity, per module or per project."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from soulspot_db_codegen import ir
from soulspot_db_codegen.configuration import Configuration
from soulspot_db_codegen.render import render

__all__ = ["OUTPUTS", "Output", "render_all"]


@dataclass(frozen=True, slots=True)
class Output:
    """One row: the template, the path it makes, and how often."""

    template: str
    path: str
    per: Literal["entity", "module", "project"]


OUTPUTS = (
    Output("entity.py", "{output}/{module}/{name}.py", "entity"),
    Output("module/__init__.py", "{output}/{name}/__init__.py", "module"),
    Output("package/__init__.py", "{output}/__init__.py", "project"),
    Output("ids.py", "{output}/ids.py", "project"),
    Output("_metadata.py", "{output}/_metadata.py", "project"),
    Output("py.typed", "{output}/py.typed", "project"),
    Output("env.py", "{migrations}/env.py", "project"),
    Output("script.py.mako", "{migrations}/script.py.mako", "project"),
)


def render_all(project: ir.Project, configuration: Configuration, head: str | None) -> dict[str, str]:
    """Every file but the migrations' own, by its path in the project; `head` is the newest revision."""
    folders = {"output": configuration.output, "migrations": configuration.migrations}
    return {
        output.path.format(**folders, **names): render(
            output.template, project=project, package=project.package, head=head, **context
        )
        for output in OUTPUTS
        for names, context in _each(output, project)
    }


def _each(output: Output, project: ir.Project) -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
    match output.per:
        case "entity":
            for entity in project.entities:
                yield {"module": entity.module, "name": entity.name}, {"entity": entity}
        case "module":
            for module in project.modules:
                yield {"name": module.name}, {"module": module}
        case "project":
            yield {}, {}
