"""The virtual fields of an entity, checked: what each stands for."""

from collections.abc import Mapping

from soulspot_db.language.field import FieldSpec, Problem
from soulspot_db.language.field_document import FieldDocument
from soulspot_db.language.nearest import nearest
from soulspot_db.language.virtual import VirtualId

__all__ = ["resolve_virtual"]

_KEYS = frozenset({"type", "virtual", "description", "deprecated"})
_TEXTS = frozenset({"string", "text"})


def resolve_virtual(
    documents: Mapping[str, FieldDocument], fields: Mapping[str, FieldSpec], problems: list[Problem]
) -> dict[str, VirtualId]:
    """Decide what each virtual field stands for; what is wrong goes to `problems`.

    Args:
        documents: the virtual fields by name.
        fields: the stored fields by name.
        problems: takes what is wrong.
    """
    found: dict[str, VirtualId] = {}
    for name, document in documents.items():
        at = ("fields", name)
        virtual = document.virtual
        if virtual is None:
            continue
        for key in sorted(document.model_fields_set - _KEYS):
            message = f"{key!r} does not go with 'virtual'"
            problems.append(Problem((*at, key), message, f"the field is not stored; say it of {virtual.field!r}"))
        if document.type not in _TEXTS:
            problems.append(Problem((*at, "type"), "a virtual field is text", "write 'type: string'"))
        target = fields.get(virtual.field)
        if target is None:
            hint = nearest(virtual.field, fields)
            problems.append(Problem((*at, "virtual", "field"), f"unknown field {virtual.field!r}", hint))
        elif target.type not in _TEXTS:
            message = f"field {virtual.field!r} is of type {target.type!r}, which has no prefix"
            problems.append(Problem((*at, "virtual", "field"), message))
        elif target.encrypted:
            message = f"field {virtual.field!r} is encrypted, and nothing can be asked of it"
            problems.append(Problem((*at, "virtual", "field"), message))
        else:
            found[name] = VirtualId(virtual.field, virtual.prefix)
    return found
