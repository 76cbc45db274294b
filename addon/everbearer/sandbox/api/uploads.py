"""Direct uploads, and the check before one."""

from everbearer.sandbox import shapes
from everbearer.sandbox.accounts import opaque
from everbearer.sandbox.api.items import (
    announce,
    check_etag,
    conflict,
    file_of,
    full,
    name_in,
    only_fields,
    parent_in,
)
from everbearer.sandbox.bodies import FormUpload
from everbearer.sandbox.content import Content, delete
from everbearer.sandbox.message import Answer, Refused
from everbearer.sandbox.tree import File, Folder, NameTaken, free_name
from everbearer.sandbox.world import Call

# What Box hands out as an upload host in its own examples.
UPLOAD_HOST = "upload-las.app.box.com"


def new_file(call: Call) -> Answer:
    """POST upload.box.com/api/2.0/files/content."""
    form = _form(call)
    attributes, content = form.finish()
    try:
        parent, name = parent_in(call, attributes), name_in(attributes)
        file = store(call, parent, name, content)
    except Exception:
        delete(content)
        raise
    return uploaded(call, file)


def new_version(call: Call) -> Answer:
    """POST upload.box.com/api/2.0/files/:id/content."""
    form = _form(call)
    file = file_of(call, call.args[0])
    check_etag(call, file)
    _, content = form.finish()
    replace_content(call, file, content)
    return uploaded(call, file)


def preflight(call: Call) -> Answer:
    """OPTIONS /files/content, /files/:id/content: tell if an upload may come."""
    given = call.request.json()
    if call.args:
        file_of(call, call.args[0])
        path = f"files/{call.args[0]}/content"
    else:
        parent, name = parent_in(call, given), name_in(given)
        try:
            free_name(parent, name)
        except NameTaken as taken:
            raise conflict(taken) from None
        path = "files/content"
    address = f"https://{UPLOAD_HOST}/api/2.0/{path}?upload_session_id={opaque(16)}"
    return shapes.ok({"upload_url": address, "upload_token": None})


def store(call: Call, parent: Folder, name: str, content: Content) -> File:
    """Return a new file; raises Refused with 409 if the name is in use."""
    world = call.world
    try:
        file = world.tree.add_file(parent, name, call.user, content, world.clock.now())
    except NameTaken as taken:
        raise conflict(taken) from None
    announce(call, "ITEM_UPLOAD", file)
    return file


def replace_content(call: Call, file: File, content: Content) -> None:
    """Make *content* the new version of *file*."""
    delete(file.content)
    call.world.tree.replace_content(file, content, call.world.clock.now())
    announce(call, "ITEM_UPLOAD", file)


def uploaded(call: Call, file: File) -> Answer:
    """Return the 201 for an upload: a list of one file."""
    entry = only_fields(call, full(file))
    return shapes.ok({"total_count": 1, "entries": [entry]}, 201)


def _form(call: Call) -> FormUpload:
    form = call.request.received.receiver
    assert isinstance(form, FormUpload)
    if form.attributes_late:
        raise Refused(
            shapes.client_error(
                400,
                "metadata_after_file_contents",
                "The 'attributes' part must come before the 'file' part",
            )
        )
    return form
