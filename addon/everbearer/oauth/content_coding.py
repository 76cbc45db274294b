"""The content coding of a token endpoint's answer (RFC 9110 §8.4.1), undone."""

from __future__ import annotations

import zlib
from typing import Final

INFLATED: Final = frozenset({"gzip", "x-gzip", "deflate"})
"""The codings that `inflate` undoes, lower case."""

_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32


def inflate(body: bytes, limit: int) -> bytes:
    """
    Return what is in *body*, of one of the codings INFLATED.

    ValueError where it is in none of them, not whole, or more than *limit*
    bytes; never unpacks more than these.
    """
    try:
        inflating = zlib.decompressobj(_GZIP_OR_ZLIB)
        plain = inflating.decompress(body, limit)
        # The end of the stream may be all that is left at the limit itself.
        if not inflating.eof and inflating.decompress(inflating.unconsumed_tail, 1):
            raise ValueError("too long")
    except zlib.error:
        raise ValueError("damaged") from None
    if not inflating.eof:
        raise ValueError("not whole")
    return plain
