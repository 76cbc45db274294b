"""The fields of a message, read once: mitmproxy walks over all for each question."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, override

from mitmproxy.http import Headers

if TYPE_CHECKING:
    from collections.abc import Iterator

_BREAK: Final = re.compile(rb"[\x00\r\n]")


class Fields:
    """The fields of a message as it stands; most of those asked for are not there."""

    __slots__ = ("_by_name", "_raw")

    def __init__(self, headers: Headers) -> None:
        self._raw = headers.fields
        self._by_name: dict[bytes, list[bytes]] = {}
        for name, value in self._raw:
            self._by_name.setdefault(name.lower(), []).append(value)

    @property
    def broken(self) -> bool:
        """Tell whether any name or value holds a line break or NUL."""
        whole = b"".join(map(b"".join, self._raw))
        return _BREAK.search(whole) is not None

    def has(self, *names: bytes) -> bool:
        """Tell whether any of the fields is there; names are in lower case."""
        return not self._by_name.keys().isdisjoint(names)

    def all(self, name: str) -> tuple[str, ...]:
        """Return all values of the field, whose name is in lower case."""
        values = self._by_name.get(name.encode())
        # As mitmproxy decodes them.
        return (
            tuple(value.decode("utf-8", "surrogateescape") for value in values)
            if values
            else ()
        )


def drop(headers: Headers, name: str) -> None:
    """Take every field of that name out; it is in lower case."""
    wanted = name.encode()
    if wanted in [found.lower() for found, _ in headers.fields]:
        headers.fields = tuple(
            [field for field in headers.fields if field[0].lower() != wanted]
        )


class AnswerFields(Mapping[str, tuple[str, ...]]):
    """An answer's fields, which most schemes read of a refusal only."""

    __slots__ = ("_raw", "_read")

    def __init__(self, raw: tuple[tuple[bytes, bytes], ...]) -> None:
        self._raw = raw
        self._read: dict[str, tuple[str, ...]] | None = None

    def _all(self) -> dict[str, tuple[str, ...]]:
        if self._read is None:
            headers = Headers(self._raw)
            self._read = {
                name.lower(): tuple(headers.get_all(name)) for name in headers
            }
        return self._read

    @override
    def __getitem__(self, name: str) -> tuple[str, ...]:
        return self._all()[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    @override
    def __len__(self) -> int:
        return len(self._all())
