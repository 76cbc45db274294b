"""Whom mitmproxy trusts: the same authorities as token requests do."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from everbearer.renewal.trust import bundle, bundle_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def authorities(ca_file: Path | None) -> Iterator[dict[str, str]]:
    """
    Give the option that names a file with all of them, for as long as it is there.

    None is needed where mitmproxy's own default is the same. Raises StoreError.
    """
    if ca_file is None:
        yield {}
        return
    with bundle(ca_file, bundle_folder()) as path:
        yield {"ssl_verify_upstream_trusted_ca": str(path)}
