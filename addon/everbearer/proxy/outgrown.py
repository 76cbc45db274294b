"""What a reload adds to the rules, and the authority of this process cannot show."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from everbearer.certificates import permitted_names
from everbearer.clients.constraints import outside
from everbearer.events import ConfigurationChanged
from everbearer.settings.model import Ca

if TYPE_CHECKING:
    from everbearer.broker import Broker
    from everbearer.certificates import Issued
    from everbearer.events import Event

logger = logging.getLogger(__name__)


def tell_outgrown(broker: Broker, authority: Issued) -> None:
    """
    Warn at every reload of hosts that *authority* was not made for.

    It was chosen at the start, and clients refuse what it shows for others.
    """
    permitted = permitted_names(authority.certificate)

    def see(event: Event) -> None:
        if not isinstance(event, ConfigurationChanged) or event.problems:
            return
        settings = broker.settings
        beyond = outside(settings.ruled, permitted)
        if not beyond:
            return
        logger.warning(
            "the CA that this proxy shows was not made for %s: tools refuse it there; "
            "%s",
            ", ".join(beyond),
            "start the command anew"
            if settings.proxy.ca is Ca.RUN
            else "run: everbearer ca --renew, and restart the proxy",
        )

    broker.subscribe(see)
