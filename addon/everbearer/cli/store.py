"""`everbearer store`: where the store is, whether it is well, and making it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from everbearer.cli import voice
from everbearer.cli.configuration import file_option, json_option, read
from everbearer.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from everbearer.settings.model import Settings
    from everbearer.stores.contract import Examined, Store


@click.group(epilog="\b\nExample:\n  everbearer store verify -c box/all.toml")
def command() -> None:
    """Look after the store of tokens."""


@command.command(epilog="\b\nExample:\n  everbearer store path -c box/all.toml")
@file_option
@json_option
def path(config: Path | None, *, as_json: bool) -> None:
    """
    Tell where the store is, and where its key.

    As the configuration has it: nothing is opened, and no secret is told.
    """
    from everbearer.stores import store_place
    from everbearer.stores.keys import key_place

    settings = read(config)
    told = {"kind": settings.store.scheme, "store": store_place(settings.store)}
    if settings.store.key is not None:
        key = key_place(settings.store.key)
        told |= {"key": str(key), "key_kind": key.kind}
    if as_json:
        voice.result(json.dumps(told, indent=2))
        return
    for name, value in told.items():
        voice.result(f"{name.replace('_', ' '):9} {voice.printable(value)}")


@command.command(epilog="\b\nExample:\n  everbearer store migrate -c team.toml")
@file_option
def migrate(config: Path | None) -> None:
    """
    Make the store, or bring it to the layout of this version.

    Does nothing where there is nothing to do. A store in a file is also made by
    its first use; one in PostgreSQL by this command alone.
    """
    from everbearer.stores import migrate_store

    voice.result(voice.printable(migrate_store(read(config).store)))


@command.command(epilog="\b\nExample:\n  everbearer store verify -c box/all.toml")
@file_option
@json_option
def verify(config: Path | None, *, as_json: bool) -> int:
    """
    Open every record, and tell which are bad and what to do.

    Changes nothing. With a bad record, or a store that cannot be opened, the
    exit code is 3.
    """
    import asyncio

    from everbearer.stores import open_store, store_place

    settings = read(config)
    place = store_place(settings.store)
    try:
        found = asyncio.run(_examine(open_store(settings.store, make=False)))
    except StoreError as error:
        if not as_json:
            raise
        problem = {"error": error.message, "hint": voice.pasteable(error.hint)}
        voice.result(json.dumps({"store": place, "ok": False, **problem}, indent=2))
        return error.exit_code
    bad = [each for each in found if each.flaw is not None]
    if as_json:
        voice.result(json.dumps(_as_json(place, settings, found), indent=2))
    else:
        for each in bad:
            _tell(each, settings)
        count = f"{len(found)} record{'s' * (len(found) != 1)}"
        voice.result(
            f"{len(bad)} of {count} cannot be read: {voice.printable(place)}"
            if bad
            else f"ok: {voice.printable(place)}: {count}"
        )
    return StoreError.exit_code if bad else 0


async def _examine(store: Store) -> tuple[Examined, ...]:
    try:
        return await store.examine()
    finally:
        await store.close()


def _tell(each: Examined, settings: Settings) -> None:
    assert each.flaw is not None
    profiles = _profiles(each, settings)
    whose = f"{', '.join(profiles)}: " if profiles else ""
    voice.error(f"{whose}{each.flaw.message}", each.flaw.hint)


def _as_json(
    place: str, settings: Settings, found: tuple[Examined, ...]
) -> dict[str, object]:
    return {
        "store": place,
        "ok": all(each.flaw is None for each in found),
        "records": len(found),
        "bad": [
            {
                "digest": each.digest[:8],
                "profiles": _profiles(each, settings),
                "message": each.flaw.message,
                "hint": voice.pasteable(each.flaw.hint),
            }
            for each in found
            if each.flaw is not None
        ],
    }


def _profiles(each: Examined, settings: Settings) -> list[str]:
    """Return the profiles whose record it is, as far as they are configured."""
    return [
        profile.name
        for profile in settings.profiles.values()
        if profile.key.digest == each.digest
    ]
