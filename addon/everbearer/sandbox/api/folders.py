"""Folders: create, get, list, change, delete."""

from everbearer.sandbox import shapes
from everbearer.sandbox.api.items import (
    announce,
    change,
    conflict,
    folder_of,
    full,
    mini,
    name_in,
    only_fields,
    parent_in,
    remove,
    window,
)
from everbearer.sandbox.message import Answer
from everbearer.sandbox.tree import NameTaken
from everbearer.sandbox.world import Call

LONGEST_PAGE = 1000


def create(call: Call) -> Answer:
    """POST /folders."""
    given = call.request.json()
    parent, name = parent_in(call, given), name_in(given)
    world = call.world
    try:
        folder = world.tree.add_folder(parent, name, call.user, world.clock.now())
    except NameTaken as taken:
        raise conflict(taken) from None
    announce(call, "ITEM_CREATE", folder)
    return shapes.ok(only_fields(call, {**full(folder), **_page(call, folder.id)}), 201)


def get(call: Call) -> Answer:
    """GET /folders/:id, with the first page of its items."""
    folder = folder_of(call, call.args[0])
    return shapes.ok(only_fields(call, {**full(folder), **_page(call, folder.id)}))


def items(call: Call) -> Answer:
    """GET /folders/:id/items."""
    page: dict[str, object] = _page(call, call.args[0])["item_collection"]
    return shapes.ok(page)


def update(call: Call) -> Answer:
    """PUT /folders/:id."""
    folder = folder_of(call, call.args[0])
    change(call, folder)
    return shapes.ok(only_fields(call, full(folder)))


def delete(call: Call) -> Answer:
    """DELETE /folders/:id; a folder with items only with `recursive=true`."""
    folder = folder_of(call, call.args[0])
    if folder.children and not _recursive(call):
        return shapes.client_error(
            400, "folder_not_empty", "Cannot delete - folder not empty"
        )
    return remove(call, folder)


def _recursive(call: Call) -> bool:
    # Box's Python SDK writes a Python bool: "True".
    return (call.request.parameter("recursive") or "").lower() == "true"


def _page(call: Call, folder_id: str) -> dict[str, dict[str, object]]:
    children = sorted(
        folder_of(call, folder_id).children.values(),
        key=lambda item: (item.kind != "folder", item.name),
    )
    offset, limit = window(call, len(children), LONGEST_PAGE)
    shape = full if call.request.parameter("fields") else mini
    return {
        "item_collection": {
            "total_count": len(children),
            "entries": [
                only_fields(call, shape(item))
                for item in children[offset : offset + limit]
            ],
            "offset": offset,
            "limit": limit,
            "order": [
                {"by": "type", "direction": "ASC"},
                {"by": "name", "direction": "ASC"},
            ],
        }
    }
