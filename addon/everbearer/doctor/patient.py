"""What is examined."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from everbearer.settings.model import Ca

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from everbearer.settings.model import Settings


@dataclass(slots=True)
class Patient:
    """
    One set-up, and what earlier checks have learnt of it.

    `confdir` is where mitmproxy keeps its CA, `own` where the user's own lies.
    `found` is the configuration once it is known to be sound, `sealed` why
    nothing that is in the store can be looked at, `ca_is_open` whether others
    can get at the CA's key, `unreached` are the token endpoints that did not
    answer.
    """

    config: Path
    environ: Mapping[str, str] = field(repr=False)
    confdir: Path
    own: Path
    offline: bool = False
    found: Settings | None = None
    sealed: str = ""
    ca_is_open: bool = False
    unreached: frozenset[str] = frozenset()

    @property
    def has_own_ca(self) -> bool:
        """Whether clients are shown certificates of the user's own authority."""
        return self.found is not None and self.found.proxy.ca is Ca.OWN

    @property
    def settings(self) -> Settings:
        """The configuration, for checks that are only made with one."""
        assert self.found is not None
        return self.found
