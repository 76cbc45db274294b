"""A client that redeems our refresh token by itself, through the proxy."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from everbearer.events import ClientRedeemed
from everbearer.oauth.client_form import Redeem
from everbearer.oauth.token_response import TokenAnswer
from everbearer.renewal.client_redeems import ClientRedeems
from everbearer.renewal.issued import IssuedTokens
from everbearer.secret import Secret
from renewal.bench import TOKEN_URL, Bench
from renewal.model_server import SEED

if TYPE_CHECKING:
    from everbearer.renewal.client_redeem import ClientRedeem
    from everbearer.stores.contract import Record


@dataclass
class Client:
    """A client beside the bench's manager, by the same proxy."""

    bench: Bench = field(default_factory=Bench)
    locked_at_cut: list[bool] = field(default_factory=list)
    issued: IssuedTokens = field(default_factory=IssuedTokens)

    def __post_init__(self) -> None:
        self.redeems = ClientRedeems(
            lambda: (self.bench.manager,),
            self.issued,
            store=self.bench.store,
            clock=self.bench.clock,
            publish=self.bench.events.append,
            tasks=self.bench.tasks,
        )

    @property
    def locked(self) -> bool:
        """Tell whether somebody holds the grant."""
        return self.bench.memory.locks[self.bench.profile.key].locked()

    @property
    def cuts(self) -> int:
        """Return how many redeems were cut off."""
        return len(self.locked_at_cut)

    @property
    def outcomes(self) -> list[str]:
        """Return what was told of the client's redeems."""
        return [event.outcome for event in self.bench.told(ClientRedeemed)]

    async def begin(
        self, refresh_token: str = SEED, client_id: str = "client"
    ) -> ClientRedeem | None:
        """Have a redeem admitted."""
        redeem = Redeem(Secret(refresh_token), client_id)
        return await self.redeems.begin(TOKEN_URL.__eq__, redeem, self._cut)

    async def go(
        self, refresh_token: str = SEED, client_id: str = "client"
    ) -> TokenAnswer:
        """Redeem at the server as a client does, by the proxy; return its answer."""
        begun = await self.begin(refresh_token, client_id)
        answer = await self.ask(refresh_token)
        if begun is not None:
            await begun.answered(answer)
        return answer

    async def ask(self, refresh_token: str = SEED) -> TokenAnswer:
        """Send the token request itself."""
        form = (("grant_type", "refresh_token"), ("refresh_token", refresh_token))
        return (await self.bench.server(TOKEN_URL, form)).answer

    async def overtaken(self) -> Record:
        """Have another process save a newer pair, as where the lock was lost."""
        other = Client()
        await other.go()
        await other.go("refresh-1")
        theirs = other.bench.record
        self.bench.memory.records[self.bench.profile.key] = theirs
        return theirs

    def _cut(self) -> None:
        self.locked_at_cut.append(self.locked)


def answer(status: int, body: object) -> TokenAnswer:
    """Return an answer in JSON."""
    kind = {"content-type": "application/json"}
    return TokenAnswer(status, kind, json.dumps(body).encode())
