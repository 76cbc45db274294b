"""The grants (RFC 6749 §1.3) by the name that the configuration has for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everbearer.oauth.grants.client_credentials import ClientCredentials
from everbearer.oauth.grants.jwt_bearer import JwtBearer
from everbearer.oauth.grants.refresh_token import RefreshToken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everbearer.oauth.grants.contract import Grant

GRANTS: Final[Mapping[str, type[Grant]]] = {
    grant.name: grant for grant in (RefreshToken, JwtBearer, ClientCredentials)
}
