"""Files: get, change, copy, delete, and the address of a representation."""

from everbearer.sandbox import shapes
from everbearer.sandbox.api.items import (
    announce,
    change,
    conflict,
    file_of,
    full,
    name_in,
    only_fields,
    parent_in,
    remove,
)
from everbearer.sandbox.content import copied
from everbearer.sandbox.message import Answer
from everbearer.sandbox.tree import File, NameTaken
from everbearer.sandbox.world import Call


def get(call: Call) -> Answer:
    """GET /files/:id; with `fields=representations` where one can be had."""
    file = file_of(call, call.args[0])
    wanted = (call.request.parameter("fields") or "").split(",")
    found = full(file)
    if "representations" in wanted:
        found["representations"] = {"entries": [_representation(file)]}
    return shapes.ok(only_fields(call, found))


def update(call: Call) -> Answer:
    """PUT /files/:id."""
    file = file_of(call, call.args[0])
    change(call, file)
    return shapes.ok(only_fields(call, full(file)))


def copy(call: Call) -> Answer:
    """POST /files/:id/copy."""
    original = file_of(call, call.args[0])
    given = call.request.json()
    parent = parent_in(call, given)
    name = name_in(given) if "name" in given else original.name
    world = call.world
    content = copied(original.content, world.contents.writer())
    try:
        file = world.tree.add_file(parent, name, call.user, content, world.clock.now())
    except NameTaken as taken:
        raise conflict(taken) from None
    announce(call, "ITEM_COPY", file)
    return shapes.ok(only_fields(call, full(file)), 201)


def delete(call: Call) -> Answer:
    """DELETE /files/:id."""
    return remove(call, file_of(call, call.args[0]))


def _representation(file: File) -> dict[str, object]:
    """Return the one that every file has here: its own bytes under another address."""
    base = f"internal_files/{file.id}/versions/{file.version_id}/representations/text"
    return {
        "representation": "extracted_text",
        "properties": {},
        "info": {"url": f"https://api.box.com/2.0/{base}"},
        "status": {"state": "success"},
        "content": {
            "url_template": (
                f"https://dl.boxcloud.com/api/2.0/{base}/content/{{+asset_path}}"
            )
        },
    }
