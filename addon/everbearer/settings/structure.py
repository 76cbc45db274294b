"""A parsed TOML document → the tables of `document`, with every wrong key noted."""

from __future__ import annotations

import copy
import functools
import operator
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

from pydantic import ValidationError

from everbearer.settings.document import Document, Table
from everbearer.settings.problems import listing, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from everbearer.settings.problems import Problems, Where

_EXPECTED: Final = {
    "string_type": "expected a string",
    "bool_type": "expected true or false",
    "list_type": "expected an array",
    "dict_type": "expected a table",
    "model_type": "expected a table",
}


def read_document(toml: Mapping[str, Any], problems: Problems) -> Document:
    """
    Return the document without the keys that had to be noted as problems.

    What is left is judged as if nothing had been wrong, so that all mistakes
    come out in one run: an unknown key that was meant to be a known one is read
    as that one.
    """
    left = copy.deepcopy(dict(toml))
    while True:
        try:
            return Document.model_validate(left)
        except ValidationError as error:
            # Each round renames an unknown key or removes a wrong one.
            for detail in error.errors(include_url=False, include_input=False):
                _note(detail, left, problems)


def _note(detail: ErrorDetails, left: dict[str, Any], problems: Problems) -> None:
    where = detail["loc"]
    if detail["type"] == "extra_forbidden":
        _note_unknown_key(where, left, problems)
        return
    message = _EXPECTED.get(detail["type"], detail["msg"])
    if detail["type"] == "literal_error":
        message = "there is no such choice"
    problems.add(where, message, _corrected(where))
    _mend(where, left, table_expected=detail["type"] in {"model_type", "dict_type"})


def _note_unknown_key(where: Where, left: dict[str, Any], problems: Problems) -> None:
    _, table = _described(where[:-1])
    key = str(where[-1])
    meant = nearest(key, table.model_fields)
    known = ", ".join(table.model_fields)
    problems.add(
        where, "unknown key", f"write: {meant}" if meant else f"known: {known}"
    )
    around = _around(left, where)
    value = around.pop(key)
    if meant and meant not in around:
        around[meant] = value


def _mend(where: Where, left: dict[str, Any], *, table_expected: bool) -> None:
    """Leave out what is wrong, so that what others say of it stays true."""
    if table_expected:
        _around(left, where)[where[-1]] = {}  # names and positions stay
    elif isinstance(where[-1], int):
        # The whole array: a part of it would mean another thing.
        _around(left, where[:-1]).pop(where[-2], None)
    else:
        del _around(left, where)[where[-1]]


def _around(left: Any, where: Where) -> Any:
    """Return the table or array that holds the last key of a place."""
    return functools.reduce(operator.getitem, where[:-1], left)


def _corrected(where: Where) -> str:
    """Return what a person writes there instead: the choices, or an example."""
    field, _ = _described(where)
    assert field is not None
    key = [part for part in where if isinstance(part, str)][-1]
    if choices := _choices(field.annotation):
        return f"write: {key} = {listing(choices)}"
    return f"write, for example: {(field.examples or [''])[0]}"


def _described(where: Where) -> tuple[FieldInfo | None, type[Table]]:
    """Return the description of the key at a place, and the table it belongs to."""
    field: FieldInfo | None = None
    table: type[Table] = Document
    named = False
    for part in where:
        if named:  # the name of a profile, the position of a rule
            named = False
            continue
        field = table.model_fields[str(part)]
        table = table_in(field.annotation) or table
        named = bool({dict, list} & set(_parts(field.annotation)))
    return field, table


def table_in(annotation: object) -> type[Table] | None:
    """Return the table that a key's type speaks of, None for plain values."""
    for part in _parts(annotation):
        if isinstance(part, type) and issubclass(part, Table):
            return part
    return None


def _choices(annotation: object) -> list[str]:
    return [part for part in _parts(annotation) if isinstance(part, str)]


def _parts(annotation: object) -> list[object]:
    """Return the annotation's origin and arguments, all the way down."""
    origin = [get_origin(annotation) or annotation]
    return origin + [part for a in get_args(annotation) for part in _parts(a)]
