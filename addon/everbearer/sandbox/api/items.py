"""What calls on files and folders share: their JSON, and finding what they name."""

import re

from everbearer.sandbox import shapes
from everbearer.sandbox.accounts import User
from everbearer.sandbox.content import delete
from everbearer.sandbox.message import Answer, Refused
from everbearer.sandbox.tree import (
    File,
    Folder,
    Item,
    NameTaken,
    NotFound,
    path_of,
    timestamp,
)
from everbearer.sandbox.world import Call


def folder_of(call: Call, item_id: object) -> Folder:
    """Return the folder; raises Refused with 404."""
    try:
        return call.world.tree.folder(str(item_id))
    except NotFound:
        raise Refused(shapes.client_error(404)) from None


def file_of(call: Call, item_id: object) -> File:
    """Return the file; raises Refused with 404."""
    try:
        return call.world.tree.file(str(item_id))
    except NotFound:
        raise Refused(shapes.client_error(404)) from None


def parent_in(call: Call, given: dict[str, object]) -> Folder:
    """Return the folder that `parent.id` of *given* names; raises Refused."""
    parent = given.get("parent")
    if not isinstance(parent, dict) or "id" not in parent:
        raise Refused(shapes.client_error(400, message="'parent.id' is required"))
    return folder_of(call, parent["id"])


def name_in(given: dict[str, object]) -> str:
    """Return the `name` of *given*; raises Refused."""
    name = given.get("name")
    if not isinstance(name, str):
        raise Refused(shapes.client_error(400, message="'name' is required"))
    return name


def conflict(taken: NameTaken) -> Refused:
    """Return the 409 for a name that is in use."""
    item = mini(taken.item)
    # A list for a folder, the item itself for a file: so OAS's Conflict schemas.
    conflicts: object = [item] if isinstance(taken.item, Folder) else item
    return Refused(
        shapes.client_error(
            409,
            "item_name_in_use",
            "Item with the same name already exists",
            {"conflicts": conflicts},
        )
    )


def check_etag(call: Call, item: Item) -> None:
    """Raise Refused with 412 if the caller has an older version in mind."""
    expected = call.request.fields.get("If-Match")
    if expected is not None and expected.strip('"') != str(item.etag):
        raise Refused(shapes.client_error(412))


def change(call: Call, item: Item) -> None:
    """Rename, move or describe *item* as the request's body says."""
    check_etag(call, item)
    given = call.request.json()
    parent = parent_in(call, given) if "parent" in given else None
    name = name_in(given) if "name" in given else None
    try:
        call.world.tree.change(item, call.world.clock.now(), name=name, parent=parent)
    except NameTaken as taken:
        raise conflict(taken) from None
    if "description" in given:
        item.description = str(given["description"])
    announce(call, "ITEM_RENAME" if name else "ITEM_MOVE", item)


def remove(call: Call, item: Item) -> Answer:
    """Remove *item*: 204."""
    check_etag(call, item)
    for gone in call.world.tree.remove(item):
        if isinstance(gone, File):
            delete(gone.content)
    announce(call, "ITEM_TRASH", item)
    return Answer(204)


def announce(call: Call, event_type: str, item: Item) -> None:
    """Put an event on the stream."""
    world = call.world
    position = len(world.events.entries) + 1
    world.events.add(
        {
            "type": "event",
            "event_id": f"{position:032x}",
            "event_type": event_type,
            "created_at": timestamp(world.clock.now()),
            "created_by": user_mini(call.user),
            "session_id": None,
            "source": full(item),
        }
    )


def user_mini(user: User) -> dict[str, object]:
    """Return OAS's UserMini."""
    return {"type": "user", "id": user.id, "name": user.name, "login": user.login}


def mini(item: Item) -> dict[str, object]:
    """Return OAS's FileMini or FolderMini."""
    found: dict[str, object] = {
        "type": item.kind,
        "id": item.id,
        "sequence_id": str(item.etag),
        "etag": str(item.etag),
        "name": item.name,
    }
    if isinstance(item, File):
        found["sha1"] = item.content.sha1
        found["file_version"] = version_mini(item)
    return found


def version_mini(file: File) -> dict[str, object]:
    """Return OAS's FileVersionMini."""
    return {"type": "file_version", "id": file.version_id, "sha1": file.content.sha1}


def full(item: Item) -> dict[str, object]:
    """Return OAS's File or Folder, as far as the sandbox has it."""
    above = [mini(folder) for folder in path_of(item)]
    found = {
        **mini(item),
        "description": item.description,
        "size": _size(item),
        "path_collection": {"total_count": len(above), "entries": above},
        "created_at": timestamp(item.created_at),
        "modified_at": timestamp(item.modified_at),
        "trashed_at": None,
        "purged_at": None,
        "created_by": user_mini(item.owner),
        "modified_by": user_mini(item.owner),
        "owned_by": user_mini(item.owner),
        "shared_link": None,
        "parent": mini(item.parent) if item.parent else None,
        "item_status": "active",
    }
    if isinstance(item, File):
        found["content_created_at"] = timestamp(item.created_at)
        found["content_modified_at"] = timestamp(item.modified_at)
    return found


def only_fields(call: Call, full: dict[str, object]) -> dict[str, object]:
    """Return what `?fields=` asks for, beside type, id and etag; all without it."""
    wanted = call.request.parameter("fields")
    if not wanted:
        return full
    names = {"type", "id", "etag", *wanted.split(",")}
    return {name: value for name, value in full.items() if name in names}


def window(call: Call, count: int, most: int) -> tuple[int, int]:
    """Return the `offset` and `limit` of a list request; raises Refused."""
    values = []
    for name, usual in (("offset", 0), ("limit", min(100, most))):
        text = call.request.parameter(name)
        if text is not None and not re.fullmatch(r"\d{1,9}", text):
            raise Refused(shapes.client_error(400, message=f"'{name}' is no number"))
        values.append(usual if text is None else int(text))
    return min(values[0], count), min(values[1], most)


def _size(item: Item) -> int:
    if isinstance(item, File):
        return item.content.length
    return sum(_size(child) for child in item.children.values())
