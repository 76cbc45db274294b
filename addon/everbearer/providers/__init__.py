"""What is known of each authorization server, as dated constants with their source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everbearer.providers.box import BOX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everbearer.providers.contract import Preset

PROVIDERS: Final[Mapping[str, Preset]] = {BOX.name: BOX}
