"""Which requests a fault or a question of a test means."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Match:
    """
    A pattern over requests; what is None matches everything.

    *host* and *path* are exact, or hold `*` for any number of characters.
    """

    method: str | None = None
    host: str | None = None
    path: str | None = None
    grant_type: str | None = None

    @classmethod
    def from_json(cls, given: Mapping[str, object]) -> "Match":
        """Return the pattern; raises ValueError that names the unknown key."""
        known = {field.name for field in fields(cls)}
        for key, value in given.items():
            if key not in known:
                raise ValueError(f"match: no key {key!r}; there are {sorted(known)}")
            if not isinstance(value, str):
                raise ValueError(f"match: {key} must be a string")  # noqa: TRY004  one class for all that is wrong
        return cls(**{key: str(value) for key, value in given.items()})

    def fits(self, method: str, host: str, path: str, grant_type: str | None) -> bool:
        """Tell whether the pattern matches a request."""
        return (
            self.method in (None, method)
            and (self.host is None or fnmatchcase(host, self.host))
            and (self.path is None or fnmatchcase(path, self.path))
            and self.grant_type in (None, grant_type)
        )
