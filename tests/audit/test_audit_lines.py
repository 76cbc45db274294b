"""A line is what JSON makes of its event, whatever that holds."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from everbearer.audit.lines import SCHEMA, line_of
from everbearer.events import Event

ANY: Final = st.text(st.characters() | st.sampled_from("\x7f\x9b\u2028"))
"""What is no text included: halves of surrogate pairs; and what is not seen."""

TIMES: Final = st.integers(0, 8_000_000_000).map(lambda quarters: quarters / 4)

VALUES: Final[dict[str, st.SearchStrategy[object]]] = {
    "str": ANY,
    "int": st.integers(),
    "bool": st.booleans(),
    "float": TIMES,
    "tuple[str, ...]": st.lists(ANY, max_size=3).map(tuple),
    "tuple[tuple[str, str], ...]": st.just(()),
    "RequestView | None": st.none(),
}
DURATIONS: Final = st.floats(0, 1e6)


def events() -> st.SearchStrategy[Event]:
    """Return any event, of any kind."""
    return st.one_of(
        st.builds(
            kind,
            **{
                each.name: DURATIONS
                if each.name in {"duration", "prepared"}
                else VALUES[each.type]
                for each in dataclasses.fields(kind)
            },
        )
        for kind in SCHEMA
    )


def instant(at: float) -> str:
    """Return it in RFC 3339."""
    told = dt.datetime.fromtimestamp(at, dt.UTC).replace(tzinfo=None)
    return f"{told.isoformat(timespec='milliseconds')}Z"


def escaped(character: str) -> str:
    """Return it as JSON in ASCII has it."""
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"


def paired(text: str) -> str:
    """Return it with halves that follow each other as one: JSON has no other."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@given(events())
def test_a_line_is_the_json_of_its_members(event: Event):
    """In their order, without a space, text as it is where it can be seen."""
    name, members = SCHEMA[type(event)]
    told = {"v": 1, "at": instant(event.at), "event": name}
    for member in members:
        value = getattr(event, member)
        if member == "duration":
            value = round(value, 6)
        elif member in {"expires_at", "retry_at", "ends_at"}:
            value = instant(value) if value else None
        told[member] = value
    plain = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    line = line_of(event).decode()
    text = "".join(x if x.isprintable() else escaped(x) for x in plain)
    assert line == f"{text}\n"


@given(events())
def test_a_line_holds_nothing_that_is_not_seen(event: Event):
    """Nothing that a terminal obeys or another ends the line at; and all is told."""
    line = line_of(event).decode()
    assert line.removesuffix("\n").isprintable()
    assert line.splitlines(keepends=True) == [line]
    found = json.loads(line)
    for member in SCHEMA[type(event)][1]:
        value = getattr(event, member)
        if isinstance(value, str):
            assert found[member] == paired(value)
        if isinstance(value, tuple) and all(isinstance(x, str) for x in value):
            assert found[member] == [paired(x) for x in value]
