"""Errors in the caller's terms: which entity, which operation, which field. Never a value."""

from pydantic import ValidationError

from soulspot_db.errors import (
    ConstraintViolationError,
    DatabaseError,
    QueryTimeoutError,
    UnknownFieldError,
    ValidationFailedError,
)
from soulspot_db.language.nearest import nearest
from soulspot_db.language.reasons import reason
from soulspot_db.language.scope import FilterError
from soulspot_db.language.spec import EntitySpec
from soulspot_db.language.table import constrained

__all__ = ["explained", "refused_filter", "refused_input", "stopped_after"]


def refused_input(error: ValidationError, spec: EntitySpec, operation: str) -> DatabaseError:
    """The error for input that a model refused: the first unknown field, else every field that does not fit."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    context = {"entity_type": spec.entity_type, "operation": operation}
    for item in found:
        name = str(item["loc"][0]) if item["loc"] else ""
        if item["type"] != "extra_forbidden":
            continue
        if name in spec.key:
            return ValidationFailedError(
                f"the key field {name!r} of {spec.entity_type} cannot be changed",
                "Delete the row and save a new one, or leave the key out of the update.",
                field=name,
                **context,
            )
        known = (*spec.fields, *spec.virtual)
        hint = nearest(name, known)
        return UnknownFieldError(
            f"{spec.entity_type} has no field {name!r}" + (f"; {hint}" if hint else ""),
            f"Use one of its fields: {', '.join(known)}.",
            field=name,
            **context,
        )
    problems = {str(item["loc"][0]) if item["loc"] else "": reason(item) for item in found}
    listed = "; ".join(f"{name}: {reason}" if name else reason for name, reason in problems.items())
    # Of a stream the batches before this row are stored; `stopped_after` says how many rows these are.
    kept = "" if operation == "save_stream" else "; nothing was written"
    return ValidationFailedError(
        f"{spec.entity_type} cannot be stored: {listed}",
        f"Correct the fields named above{kept}.",
        field=next(iter(problems)) or None,
        fields=list(problems),
        **context,
    )


def refused_filter(problem: FilterError, spec: EntitySpec, operation: str) -> DatabaseError:
    """The error for a filter or an order that does not fit the entity."""
    context = {"entity_type": spec.entity_type, "operation": operation, "field": problem.field}
    if problem.known is not None:
        return UnknownFieldError(str(problem), f"Use one of its fields: {', '.join(problem.known)}.", **context)
    return ValidationFailedError(
        str(problem), "Correct the filter or order; docs/api.md shows all operators.", **context
    )


def explained(error: DatabaseError, spec: EntitySpec, operation: str) -> DatabaseError:
    """What the engine raised, which knows tables and columns, told in terms of the entity."""
    told = error.about(entity_type=spec.entity_type, operation=operation)
    if isinstance(error, ConstraintViolationError):
        told.context["field"] = field = _violated(error, spec, operation)
        if field is not None:
            told.message = f"the {error.context['kind']} constraint of {spec.entity_type} refuses the row: {field}"
    elif isinstance(error, QueryTimeoutError) and operation.startswith("delete"):
        _add_step(
            told,
            f"Or index the fields that refer to {spec.entity_type}: each row that is deleted is looked for in them.",
        )
    return told


def stopped_after(written: int, error: DatabaseError) -> DatabaseError:
    """The error that has stopped a write in batches, each committed by itself.

    Args:
        written: how many rows the batches before have written.
        error: of the batch that failed, of which nothing was written.
    """
    told = error.about(written=written)
    if written:
        rows = "1 row" if written == 1 else f"{written} rows"
        told.message += f"; the batches before have written {rows}"
        _add_step(
            told, f"Go on with what is left: {rows} stay written, unless it was in a transaction that is rolled back."
        )
    return told


def _add_step(error: DatabaseError, step: str) -> None:
    steps = error.resolution.splitlines()
    error.resolution = "\n".join([*steps, f"{len(steps) + 1}. {step}"])


def _violated(error: ConstraintViolationError, spec: EntitySpec, operation: str) -> str | None:
    kind, columns = error.context["kind"], error.context["field"]
    fields = spec.fields.values()
    named = constrained(spec).get(error.context["constraint"])
    if named is not None:
        return ", ".join(named)
    if kind == "foreign key" and not operation.startswith("delete"):
        # SQLite does not say which; there is no doubt where there is only one.
        references = [field.name for field in fields if field.references]
        return references[0] if len(references) == 1 else None
    if columns is None:
        return None
    by_column = {field.column: field.name for field in fields}
    return ", ".join(by_column.get(column, column) for column in str(columns).split(", "))
