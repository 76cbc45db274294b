"""The questions to an authorization server, as events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from everbearer.errors import EverbearerError
from everbearer.events import TokenRequested
from everbearer.oauth.shown import shown_answer, shown_fields, shown_form

if TYPE_CHECKING:
    from everbearer.oauth.grants.contract import Form
    from everbearer.renewal.exchange import Exchange, Send
    from everbearer.renewal.telling import Telling


def told(endpoint: Send, telling: Telling) -> Send:
    """Return *endpoint*, which from now on tells of each question and its answer."""

    async def send(url: str, form: Form) -> Exchange:
        at, begun = telling.clock.wall(), telling.clock.now()
        exchange, code = None, "cancelled"
        try:
            exchange = await endpoint(url, form)
            code = ""
        except EverbearerError as error:
            code = error.code
            raise
        finally:
            answer = exchange.answer if exchange else None
            telling.publish(
                TokenRequested(
                    at=at,
                    profile=telling.profile,
                    url=url,
                    form=shown_form(form),
                    status=answer.status if answer else 0,
                    fields=shown_fields(answer) if answer else (),
                    answer=shown_answer(answer) if answer else "",
                    code=code,
                    duration=telling.clock.now() - begun,
                )
            )
        return exchange

    return send
