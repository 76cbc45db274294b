"""`[store]`: where grants are kept, and the key that seals them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from everbearer.secret import Secret
from everbearer.settings.model import KeySource, StoreSettings
from everbearer.settings.postgres_url import SCHEMES, doubt, parse
from everbearer.settings.problems import Mistake
from everbearer.settings.secrets import VARIABLE

if TYPE_CHECKING:
    from everbearer.settings.document import KeyTable, StoreTable
    from everbearer.settings.model import PostgresSettings
    from everbearer.settings.secrets import SecretReader

_DEFAULT_URL: Final = "sqlite:tokens.db"
_MEMORY: Final = "memory:"
_WHERE: Final = ("store", "url")


def build_store(
    table: StoreTable, data_folder: Path, state_folder: Path, reader: SecretReader
) -> StoreSettings:
    """
    Return where the store and its key lie; notes what is wrong with it.

    `data_folder` is where a relative `url` starts: not beside the configuration,
    which may be shared or under version control. `state_folder` has a place for
    emergency copies.
    """
    problems = reader.problems
    path, postgres = data_folder, None  # after a mistake, only to judge the key as well
    url = _url(table, reader)
    try:
        if url == _MEMORY:
            if table.key is not None:
                problems.add(
                    ("store", "key"), "a store in memory needs no key", "remove it"
                )
            return StoreSettings(None, None)
        if url is not None and url.partition(":")[0] in SCHEMES:
            postgres = _postgres(table, url, reader)
        elif url is not None:
            path = _path(url, data_folder)
    except Mistake as mistake:
        problems.note(_WHERE, mistake)
    try:
        key = _key(table.key, None if postgres else path.parent, reader)
    except Mistake as mistake:
        problems.note(("store", "key"), mistake)
        key = None
    return StoreSettings(
        None if postgres else path, key, state_folder / "rescue", postgres
    )


def _url(table: StoreTable, reader: SecretReader) -> str | None:
    if table.url is None:
        return _DEFAULT_URL
    if isinstance(table.url, Secret):
        return table.url.reveal()  # a secret only as far as it has a password
    found = reader.text(_WHERE, table.url)
    return None if found is None else found.reveal()


def _postgres(table: StoreTable, url: str, reader: SecretReader) -> PostgresSettings:
    found = parse(url, reader.surroundings.path)
    if found.password is not None and isinstance(table.url, Secret):
        reader.warn_of_text(_WHERE)
    if text := doubt(found):
        reader.warnings.append(text)
    return found


def _path(url: str, data_folder: Path) -> Path:
    scheme, _, rest = url.partition(":")
    if scheme != "sqlite" or not rest or "\0" in rest:
        raise Mistake(
            "expected sqlite:PATH or postgresql://user@host/database",
            f'write: url = "{_DEFAULT_URL}"',
        )
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
    table: KeyTable | None, beside: Path | None, reader: SecretReader
) -> KeySource | None:
    lost = reader.problems.about("store", "key")
    if table is None or (lost and not table.model_fields_set):
        if beside is None and not lost:
            raise Mistake(
                "is missing: several machines share this store, and no folder",
                'write: key = { env = "EVERBEARER_STORE_KEY" }, { file = "store.key" }'
                ' or { keyring = "everbearer/store" }',
            )
        return KeySource(file=beside / "store.key") if beside else None
    if len([kind for kind in (table.file, table.keyring, table.env) if kind]) != 1:
        raise Mistake(
            "expected one of file, keyring and env",
            'write: key = { file = "store.key" }',
        )
    if table.file:
        return KeySource(file=reader.surroundings.path(table.file))
    if table.env:
        if not VARIABLE.match(table.env):
            # It may be the key itself.
            raise Mistake(
                "names no variable of the environment",
                'write its name alone: key = { env = "EVERBEARER_STORE_KEY" }',
            )
        reader.variables.add(table.env)
        return KeySource(env=table.env)
    service, _, account = (table.keyring or "").partition("/")
    if not service or not account:
        raise Mistake(
            "names no entry of the keyring",
            'write: key = { keyring = "everbearer/store" }',
        )
    return KeySource(keyring=f"{service}/{account}")
