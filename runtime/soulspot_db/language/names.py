"""The names that a schema may give: to entities, fields, tables, indexes and queries."""

import keyword
import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

__all__ = ["MAX_NAME", "FieldName", "IndexName", "MemberName", "Name", "TableName", "check_field_name"]

# PostgreSQL cuts longer identifiers short, and two cut names may then be the same.
MAX_NAME = 63

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_RESERVED = frozenset(
    {"and", "or", "not", "copy", "json", "dict", "schema", "construct", "validate", "fields_set"}
    | {"from_orm", "parse_file", "parse_obj", "parse_raw", "schema_json", "update_forward_refs"}
    # A class body that gives these a value takes them away from the annotations that follow.
    | {"bool", "bytes", "float", "int", "str", "tuple"}
)

_OUR_PREFIXES = {"soulspot_db_": "soulspot-db's own", "archived_": "those of archives"}


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(f"{value!r} is not a name: use lower-case letters, digits and underscores")
    if len(value) > MAX_NAME:
        raise ValueError(f"the name {value!r} is {len(value)} characters long; at most {MAX_NAME} fit")
    if value in {"nothing", "returning"}:
        raise ValueError(f"{value!r} is not possible: SQLite keeps the word for itself")
    return value


def _index_name(value: str) -> str:
    if value.startswith("sqlite_"):
        raise ValueError(f"{value!r} is not possible: SQLite keeps names that begin with 'sqlite_' for itself")
    return _name(value)


def _table_name(value: str) -> str:
    for prefix, owner in _OUR_PREFIXES.items():
        if value.startswith(prefix):
            message = f"{value!r} is not possible: tables whose names begin with {prefix!r} are {owner}"
            hint = "give the table another name with 'table_name', or the module's with 'table_prefix' in _module.yaml"
            raise PydanticCustomError("reserved_name", "{message}", {"message": message, "hint": hint})
    return _index_name(value)


def check_field_name(value: str) -> str:
    """`value`, if it can name a field, a parameter or a method.

    Raises:
        ValueError: it cannot.
    """
    return _attribute(value, f"rename the field and keep the database's name with 'column: {value}'")


def _member_name(value: str) -> str:
    return _attribute(value, "choose another name")


def _attribute(value: str, hint: str) -> str:
    _name(value)
    if keyword.iskeyword(value) or value in _RESERVED or value.startswith("model_"):
        message = f"{value!r} is a name that Python or Pydantic keeps for itself"
        raise PydanticCustomError("reserved_name", "{message}", {"message": message, "hint": hint})
    return value


# What the validators say in Python, as editors can read it.
_NAME_SCHEMA = {"type": "string", "pattern": f"^{_NAME.pattern}$", "maxLength": MAX_NAME}

Name = Annotated[str, AfterValidator(_name), WithJsonSchema(_NAME_SCHEMA)]
IndexName = Annotated[
    str, AfterValidator(_index_name), WithJsonSchema({**_NAME_SCHEMA, "pattern": f"^(?!sqlite_){_NAME.pattern}$"})
]
_PREFIXES = "|".join(("sqlite_", *_OUR_PREFIXES))
TableName = Annotated[
    str, AfterValidator(_table_name), WithJsonSchema({**_NAME_SCHEMA, "pattern": f"^(?!{_PREFIXES}){_NAME.pattern}$"})
]
FieldName = Annotated[str, AfterValidator(check_field_name), WithJsonSchema(_NAME_SCHEMA)]
MemberName = Annotated[str, AfterValidator(_member_name), WithJsonSchema(_NAME_SCHEMA)]
