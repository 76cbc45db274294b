"""What is remembered for a while, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from typing import override


class Recent[K, V](OrderedDict[K, V]):
    """A mapping of at most *limit* keys: beyond it, the one set longest ago goes."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    @override
    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self._limit:
            self.popitem(last=False)
