"""The parameters of a named query: what each may be, told by what it is compared with or set to."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from soulspot_db.language.field import FieldSpec, Made, Missing, Problem, resolve_field
from soulspot_db.language.names import check_field_name
from soulspot_db.language.nearest import nearest
from soulspot_db.language.patterns import TEXT_OPERATORS
from soulspot_db.language.predicates import Compare, Param, Predicate
from soulspot_db.language.query_document import QueryDocument
from soulspot_db.language.reasons import first_reason
from soulspot_db.language.scope import HasFields
from soulspot_db.language.template import params_of

__all__ = ["INTEGER", "TEXT", "ParamSpec", "Use", "declared_params", "resolve_params", "uses_of"]

INTEGER = FieldSpec("", "integer", "")
TEXT = FieldSpec("", "text", "")


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """One parameter: `field` says what type its value has, or each value of its list where it is `many`.

    One without a default must be given, unless it is `optional`: then what it is part of is left out with it.
    """

    name: str
    field: FieldSpec
    many: bool = False
    nullable: bool = False
    optional: bool = False
    default: Any = Missing
    made: Made | None = None
    """What makes its value where it is not given."""
    stored: bool = False
    """Whether it becomes the value of a field, and so must pass the rules of that."""

    @property
    def skips_none(self) -> bool:
        """Whether None means that it is not given, as it cannot be its value."""
        return self.optional and not self.nullable

    @property
    def required(self) -> bool:
        """Whether a caller must give it."""
        return not self.optional and self.default is Missing and self.made is None


@dataclass(frozen=True, slots=True)
class Use:
    """A place where a parameter stands, and what it may be there."""

    param: Param
    field: FieldSpec
    many: bool = False
    nullable: bool = False
    stored: bool = False


def uses_of(predicate: Predicate | None, entity: HasFields) -> Iterator[Use]:
    """The parameters of a predicate."""
    for param, compare, field in params_of(predicate, entity):
        yield _use(param, compare, field)


def _use(param: Param, compare: Compare, field: FieldSpec) -> Use:
    if param.virtual is not None:  # the rules are those of the stored value, which has the prefix
        return Use(param, TEXT, many=compare.operator in {"in", "not_in"}, nullable=_nullable(compare, field))
    if compare.operator in {"in", "not_in"}:
        return Use(param, field, many=True)
    if field.type == "list" and compare.operator == "contains":
        return Use(param, field.item)
    if compare.operator in TEXT_OPERATORS and field.type != "json":
        return Use(param, TEXT)
    return Use(param, field, nullable=_nullable(compare, field))


def _nullable(compare: Compare, field: FieldSpec) -> bool:
    return field.nullable and compare.operator in {"eq", "ne", "is", "is_not"}


def resolve_params(
    document: QueryDocument, uses: list[Use], at: tuple[str | int, ...], problems: list[Problem]
) -> dict[str, ParamSpec]:
    """Decide what each parameter may be; what is wrong goes to `problems`."""
    declared = {
        name: resolve_field(name, field, (), problems, (*at, "params")) for name, field in document.params.items()
    }
    found: dict[str, ParamSpec] = {}
    for use in uses:
        name = use.param.name
        try:
            check_field_name(name)
            _check_free(name, document)
        except ValueError as error:
            problems.append(Problem(at, str(error)))
            continue
        spec = _declared(use, declared[name]) if name in declared else _inferred(use)
        known = found.get(name)
        if known is None:
            found[name] = spec
        elif (known.field.type, known.many) != (spec.field.type, spec.many):
            kinds = f"{known.field.type} and {spec.field.type}" if known.many == spec.many else "a value and a list"
            problems.append(Problem(at, f"the parameter {name!r} is {kinds}", "use two parameters"))
        else:
            found[name] = _both(known, spec, at, problems)
    unused = sorted(declared.keys() - found.keys())
    problems += [Problem((*at, "params", name), f"the parameter {name!r} is not used") for name in unused]
    for name, spec in found.items():
        if name not in declared or declared[name].default is Missing:  # that was checked with its field
            _check_default(spec, at, problems)
    return found


def declared_params(
    document: QueryDocument, used: Collection[str], at: tuple[str | int, ...], problems: list[Problem]
) -> dict[str, ParamSpec]:
    """The parameters of a query that says the type of each, and of which `used` occur in it; what is wrong goes to `problems`."""
    found = {}
    for name, declaration in document.params.items():
        field = resolve_field(name, declaration, (), problems, (*at, "params"))
        # All that is said of it holds, because nothing else says what it may be.
        found[name] = ParamSpec(
            name, field, nullable=field.nullable, default=field.default, made=field.made, stored=True
        )
        if name not in used:
            hint = nearest(name, used)
            problems.append(Problem((*at, "params", name), f"the parameter {name!r} is not used", hint))
        try:
            _check_free(name, document)
        except ValueError as error:
            problems.append(Problem((*at, "params", name), str(error)))
    for name in used:
        if name not in found:
            hint = nearest(name, found) or f"add 'params: {{{name}: {{type: ...}}}}'"
            problems.append(Problem((*at, "sql"), f"the parameter {name!r} has no type", hint))
    return found


def _check_free(name: str, document: QueryDocument) -> None:
    taken = {"self", "fresh"} | ({"after", "before"} if document.returns == "page" else set())
    if name in taken:
        raise ValueError(f"the method has a parameter {name!r} of its own; give yours another name")


def _inferred(use: Use) -> ParamSpec:
    param = use.param
    return ParamSpec(param.name, use.field, use.many, use.nullable, param.optional, param.default, stored=use.stored)


def _declared(use: Use, field: FieldSpec) -> ParamSpec:
    default = use.param.default if field.default is Missing else field.default
    return ParamSpec(
        use.param.name, field, use.many, field.nullable, use.param.optional, default, field.made, use.stored
    )


def _both(one: ParamSpec, other: ParamSpec, at: tuple[str | int, ...], problems: list[Problem]) -> ParamSpec:
    if one.default is not Missing and other.default is not Missing and one.default != other.default:
        problems.append(Problem(at, f"the parameter {one.name!r} has two defaults"))
    if one.optional != other.optional:
        problems.append(Problem(at, f"the parameter {one.name!r} is optional in one place and not in another"))
    default = other.default if one.default is Missing else one.default
    stored = other if other.stored and not one.stored else one  # whose rules are the stricter ones
    return replace(stored, nullable=one.nullable and other.nullable, default=default)


def _check_default(spec: ParamSpec, at: tuple[str | int, ...], problems: list[Problem]) -> None:
    if spec.default is Missing:
        return
    values = spec.default if spec.many and isinstance(spec.default, (list, tuple)) else [spec.default]
    try:
        for value in values:
            if value is not None or not spec.nullable:
                spec.field.adapter.validate_python(value)
    except ValidationError as error:
        problems.append(Problem(at, f"the default of the parameter {spec.name!r} does not fit: {first_reason(error)}"))
