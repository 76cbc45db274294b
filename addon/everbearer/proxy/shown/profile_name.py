"""A profile's name as an argument of mitmproxy's commands, with its completion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mitmproxy.command import CommandManager

NAMES: Final = "everbearer.profiles"
"""The command that lists them."""


class ProfileName(str):
    """
    Such a name; one that no profile has is told of by the command itself.

    mitmproxy's own Choice says no more than "Invalid choice".
    """

    __slots__ = ()


class ProfileNameType:
    """What mitmproxy has to know of the type, as its `types` have it."""

    typ = ProfileName
    display = "profile"

    def completion(
        self, manager: CommandManager, _typ: Any, _text: str
    ) -> Sequence[str]:
        """Return what may be meant."""
        names: Sequence[str] = manager.call(NAMES)
        return names

    def parse(self, _manager: CommandManager, _typ: Any, text: str) -> ProfileName:
        """Take any text."""
        return ProfileName(text)

    def is_valid(self, _manager: CommandManager, _typ: Any, value: Any) -> bool:
        """Tell whether a command may return it; none does."""
        return isinstance(value, str)
