"""How a request is authorised: the schemes by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everbearer.schemes.bearer import Bearer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everbearer.schemes.contract import Scheme

SCHEMES: Final[Mapping[str, Scheme]] = {Bearer.name: Bearer()}
