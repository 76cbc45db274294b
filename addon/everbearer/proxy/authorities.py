"""Whom mitmproxy trusts: the same authorities as token requests do."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from everbearer.renewal.trust import write_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def authorities(ca_file: Path | None) -> Iterator[dict[str, str]]:
    """
    Give the option that names a file with all of them, for as long as it is there.

    None is needed where mitmproxy's own default is the same. Raises OSError.
    """
    if ca_file is None:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="everbearer-") as folder:  # 0700
        bundle = Path(folder) / "authorities.pem"
        bundle.touch(mode=0o600)
        write_bundle(ca_file, bundle)
        yield {"ssl_verify_upstream_trusted_ca": str(bundle)}
