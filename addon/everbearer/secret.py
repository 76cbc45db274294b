"""A value that does not show itself."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final, NoReturn, final

_MASK: Final = "****"
# RFC 6750 §2.1 has neither brackets nor a colon: no token looks like this.
_MARK: Final = re.compile(r"\[everbearer:([0-9a-f]+)\]")


@final
class Secret:
    """
    A string that is masked in repr, str and format, and refuses to be pickled.

    `reveal()` is the only way out, so that every place where a secret leaves
    its wrapper can be found by searching for that word.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself."""
        return self._value

    def fingerprint(self) -> str:
        """
        Return 12 hexadecimal digits that tell one secret from another.

        Only meant for values with the entropy of a token: that of a password
        could be guessed back from it.
        """
        return fingerprint(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self._value), _bytes(other._value))

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return f"Secret({_MASK})"

    def __str__(self) -> str:
        return _MASK

    def __format__(self, spec: str) -> str:
        return _MASK

    def __reduce__(self) -> NoReturn:
        msg = "a Secret is not pickled: it would lie on disk in clear"
        raise TypeError(msg)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self


def fingerprint(token: str) -> str:
    """Return the first 12 hexadecimal digits of the token's SHA-256."""
    return hashlib.sha256(_bytes(token)).hexdigest()[:12]


def redaction_mark(token_fingerprint: str) -> str:
    """Return what stands where the token was, in all that is kept or shown."""
    return f"[everbearer:{token_fingerprint}]"


def marked(text: str) -> str:
    """Return the fingerprint where *text* is such a mark and nothing more, else ""."""
    found = _MARK.fullmatch(text)
    return found[1] if found else ""


def _bytes(text: str) -> bytes:
    # Fields and JSON may hold what is no character; it must not raise here.
    return text.encode("utf-8", "surrogatepass")
