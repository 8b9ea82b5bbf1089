"""References that no index begins with: databases index what is referred to, and never what refers to it."""

from collections.abc import Iterator, Mapping

from soulspot_db.language.indexes import IndexSpec
from soulspot_db.language.predicates import Compare
from soulspot_db.language.spec import EntitySpec

from soulspot_db_codegen.documents import Located
from soulspot_db_codegen.errors import Diagnostic

__all__ = ["unindexed_references"]


def unindexed_references(specs: Mapping[str, EntitySpec], located: Mapping[str, Located]) -> Iterator[Diagnostic]:
    """A warning for each; those of installed packages are for their authors.

    Args:
        specs: the entities, by `module.entity`.
        located: where each is written.
    """
    for path, spec in specs.items():
        if located[path].source.is_of_package:
            continue
        begun = {spec.key[0]} | {index.parts[0].field for index in spec.indexes if _finds_all(index)}
        for field in spec.fields.values():
            if field.references is None or field.unique or field.name in begun:
                continue
            yield located[path].problem(
                ("fields", field.name, "references"),
                f"no index begins with {field.name!r}: deleting a row of {field.references} "
                f"reads every row of {spec.entity_type!r}",
                "add 'index: true'",
            )


def _finds_all(index: IndexSpec) -> bool:
    """Whether all rows that refer to another are found by the first part: a row that refers to none need not be in it."""
    part = index.parts[0]
    return part.function is None and index.where in (None, Compare(part.field, "not_null"))
