"""
Everything that the sandbox knows, in one place, and what of it outlives a restart.

Only credentials and refresh tokens do; files, folders and events are made anew.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from everbearer.sandbox.accounts import OWNER, USERS, Accounts, User, make_accounts
from everbearer.sandbox.clock import Clock
from everbearer.sandbox.content import ContentFolder
from everbearer.sandbox.events import Events
from everbearer.sandbox.faults import Effect, Faults
from everbearer.sandbox.folder import StateFolder
from everbearer.sandbox.journal import Journal
from everbearer.sandbox.message import Request
from everbearer.sandbox.oauth import AuthorizationServer
from everbearer.sandbox.rotation import SettleOn
from everbearer.sandbox.sessions import Downloads, UploadSession
from everbearer.sandbox.tokens import AccessToken, Tokens
from everbearer.sandbox.tree import Tree

STATE_FILE = "state.json"
# DOC `tokens/developer-tokens.md`: 60 minutes, and no way to renew it.
DEVELOPER_TOKEN_LIFE = 3600.0


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """
    How the sandbox runs; lives in seconds, *port* 0 takes a free one.

    *strict*: refresh tokens rotate as RFC 9700 §4.14.2 wants, not as Box does.
    *settle_on*: what retires the tokens before a new pair.
    """

    state: Path
    port: int = 0
    strict: bool = False
    token_life: float = 3600.0
    code_life: float = 30.0
    settle_on: SettleOn = SettleOn.ACCESS_TOKEN


class World:
    """The state that all handlers share."""

    def __init__(
        self, options: SandboxOptions, folder: StateFolder, clock: Clock
    ) -> None:
        self.folder = folder
        self.clock = clock
        kept = json.loads(folder.read(STATE_FILE) or "{}")
        self.accounts: Accounts = (
            Accounts.from_json(kept["accounts"]) if kept else make_accounts()
        )
        self.tokens = Tokens(
            clock,
            life=options.token_life,
            strict=options.strict,
            settle_on=options.settle_on,
        )
        for grant in kept.get("grants", ()):
            app, user = self.accounts.apps[grant["profile"]], USERS[grant["user"]]
            self.tokens.restore(grant, app, user)
        self.authorization = AuthorizationServer(
            self.accounts, self.tokens, clock, options.code_life
        )
        self.journal = Journal()
        self.faults = Faults()
        self.tree = Tree(OWNER)
        self.contents = ContentFolder(folder.emptied("content"))
        self.sessions: dict[str, UploadSession] = {}
        self.downloads = Downloads()
        self.events = Events()
        self.seed = self._valid_seed(kept.get("seed", ""))
        self.tokens.issue(
            self.accounts.apps["devtoken"],
            OWNER,
            value=self.accounts.developer_token,
            life=DEVELOPER_TOKEN_LIFE,
        )
        self.tokens.changed = self.save
        self.save()

    def save(self) -> None:
        """Write down what a restart must not forget."""
        state = {
            "accounts": self.accounts.to_json(),
            "grants": self.tokens.to_json(),
            "seed": self.seed,
        }
        self.folder.write(STATE_FILE, json.dumps(state))

    def _valid_seed(self, kept: str) -> str:
        if self.tokens.redeemable(kept):
            return kept
        return self.tokens.grant(self.accounts.apps["dev"], OWNER).refresh_token


@dataclass(slots=True)
class Call:
    """
    One request with the world around it.

    *args* are the variable segments of its path; *user* is whom it acts as;
    *effect* is that of a fault in its way.
    """

    world: World
    request: Request
    args: tuple[str, ...]
    token: AccessToken | None = None
    acting: User | None = None
    effect: Effect | None = None

    @property
    def user(self) -> User:
        """Return whom the request acts as; only a call with a bearer has one."""
        assert self.acting is not None
        return self.acting
