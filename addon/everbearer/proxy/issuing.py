"""Certificates that an authority of our own shows to clients, in mitmproxy's stead."""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING, Final, override

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from mitmproxy import certs
from mitmproxy.exceptions import AddonHalt

from everbearer.certificates import issue_server, permits, permitted_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from everbearer.certificates import Issued

logger = logging.getLogger(__name__)

_LIFE: Final = dt.timedelta(days=30)
_REISSUE: Final = dt.timedelta(days=15)


class OwnCertificates(certs.CertStore):
    """
    Issues for the names that the authority may speak for, and for no other.

    mitmproxy names in a certificate whatever the real server's names; one of
    them beyond the constraints would make clients refuse them all. No private
    key is on disk, and the authority's signs certificates alone.
    """

    def __init__(self, authority: Issued) -> None:
        ca = certs.Cert(authority.certificate)
        # mitmproxy's types know its own RSA keys; it does nothing but sign.
        crl = certs.dummy_crl(authority.key, authority.certificate)  # type: ignore[arg-type]
        super().__init__(authority.key, ca, None, crl, None)  # type: ignore[arg-type]
        self._authority = authority
        self._permitted = permitted_names(authority.certificate)
        self._key = ec.generate_private_key(ec.SECP256R1())

    @override
    def get_cert(
        self,
        commonname: str | None,
        sans: Iterable[x509.GeneralName],
        organization: str | None = None,
        crl_url: str | None = None,
    ) -> certs.CertStoreEntry:
        """
        Return a certificate for those of *sans* that are permitted.

        Where none is, raises AddonHalt: mitmproxy closes the connection then, and
        nothing is signed that only the client's own check would stop.
        """
        asked = tuple(sans)
        names = tuple(name for name in asked if self._may(name))
        if not names:
            logger.warning(
                "the CA that this proxy shows was not made for %a: the connection is"
                ' closed; start the proxy anew, with proxy.ca = "own" after:'
                " everbearer ca --renew",
                ", ".join(str(name.value) for name in asked),
            )
            raise AddonHalt
        now = dt.datetime.now(dt.UTC)
        kept = self.certs.get(key := (None, x509.GeneralNames(names)))
        if kept is not None:
            end = kept.cert.to_cryptography().not_valid_after_utc
            if end - now > _REISSUE:
                return kept
        first = str(names[0].value)
        issued = issue_server(self._authority, first, names, now, _LIFE, self._key)
        entry = certs.CertStoreEntry(
            cert=certs.Cert(issued.certificate),
            privatekey=self._key,  # type: ignore[arg-type]
            chain_file=None,
            chain_certs=self.default_chain_certs,
        )
        self.certs[key] = entry
        self.expire(entry)
        return entry

    def _may(self, name: x509.GeneralName) -> bool:
        return isinstance(name, x509.DNSName) and permits(self._permitted, name.value)
