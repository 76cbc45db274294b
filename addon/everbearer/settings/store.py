"""`[store]`: where grants are kept, and the key that seals them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from everbearer.settings.model import KeySource, StoreSettings
from everbearer.settings.problems import Mistake

if TYPE_CHECKING:
    from everbearer.settings.document import KeyTable, StoreTable
    from everbearer.settings.problems import Problems
    from everbearer.settings.secrets import Surroundings

_DEFAULT_URL: Final = "sqlite:tokens.db"
_MEMORY: Final = "memory:"


def build_store(
    table: StoreTable,
    data_folder: Path,
    state_folder: Path,
    around: Surroundings,
    problems: Problems,
) -> StoreSettings:
    """
    Return where the store and its key lie; notes what is wrong with it.

    `data_folder` is where a relative `url` starts: not beside the configuration,
    which may be shared or under version control. `state_folder` has a place for
    emergency copies.
    """
    try:
        path = _path(_DEFAULT_URL if table.url is None else table.url, data_folder)
    except Mistake as mistake:
        problems.note(("store", "url"), mistake)
        path = data_folder  # only to judge the key as well
    if path is None:
        if table.key is not None:
            problems.add(
                ("store", "key"), "a store in memory needs no key", "remove it"
            )
        return StoreSettings(None, None)
    try:
        key = _key(table.key, path.parent, around, problems)
        return StoreSettings(path, key, state_folder / "rescue")
    except Mistake as mistake:
        problems.note(("store", "key"), mistake)
        return StoreSettings(path, None)


def _path(url: str, data_folder: Path) -> Path | None:
    scheme, _, rest = url.partition(":")
    if url == _MEMORY:
        return None
    if scheme in {"postgresql", "postgres"}:
        raise Mistake(
            "not in this version: PostgreSQL comes later",
            f'write: url = "{_DEFAULT_URL}"',
        )
    if scheme != "sqlite" or not rest or "\0" in rest:
        raise Mistake("expected sqlite:PATH", f'write: url = "{_DEFAULT_URL}"')
    if rest.startswith("//"):
        raise Mistake(
            "the path follows the colon at once",
            f'write, for example: url = "{_DEFAULT_URL}" or "sqlite:/a/path/tokens.db"',
        )
    try:
        return data_folder / Path(rest).expanduser()
    except (RuntimeError, ValueError):
        raise Mistake("this home folder is not known", "write the path") from None


def _key(
    table: KeyTable | None, beside: Path, around: Surroundings, problems: Problems
) -> KeySource | None:
    if table is None or (problems.about("store", "key") and not table.model_fields_set):
        return KeySource(file=beside / "store.key")
    if (table.file is None) == (table.keyring is None):
        raise Mistake(
            "expected one of file and keyring", 'write: key = { file = "store.key" }'
        )
    if table.file is not None:
        return KeySource(file=around.path(table.file))
    service, _, account = (table.keyring or "").partition("/")
    if not service or not account:
        raise Mistake(
            "names no entry of the keyring",
            'write: key = { keyring = "everbearer/store" }',
        )
    return KeySource(keyring=f"{service}/{account}")
