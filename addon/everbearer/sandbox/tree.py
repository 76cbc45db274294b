"""Folders and files of the sandbox's one enterprise, seen by all its users alike."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from everbearer.sandbox.accounts import User
from everbearer.sandbox.content import Content

ROOT_ID = "0"
FIRST_ID = 1_000_000
LONGEST_NAME = 255


class NameTaken(Exception):  # noqa: N818  it is an answer, not a fault
    """Another item of this name is in the folder already."""

    def __init__(self, item: "Item") -> None:
        super().__init__(item.name)
        self.item = item


class NotFound(Exception):  # noqa: N818  it is an answer, not a fault
    """There is no such item."""


@dataclass(slots=True, eq=False)
class Folder:
    """A folder; *children* by name."""

    id: str
    name: str
    owner: User
    created_at: float
    parent: "Folder | None" = None
    modified_at: float = 0.0
    etag: int = 0
    description: str = ""
    children: "dict[str, Item]" = field(default_factory=dict)
    kind = "folder"


@dataclass(slots=True, eq=False)
class File:
    """A file with its current version."""

    id: str
    name: str
    owner: User
    created_at: float
    parent: Folder
    content: Content
    version_id: str
    modified_at: float = 0.0
    etag: int = 0
    description: str = ""
    kind = "file"


type Item = Folder | File


class Tree:
    """All items by id."""

    def __init__(self, owner: User) -> None:
        self.root = Folder(ROOT_ID, "All Files", owner, 0.0)
        self._items: dict[str, Item] = {ROOT_ID: self.root}
        self._last_id = FIRST_ID

    def folder(self, item_id: str) -> Folder:
        """Return the folder; raises NotFound."""
        item = self._items.get(item_id)
        if not isinstance(item, Folder):
            raise NotFound(item_id)
        return item

    def file(self, item_id: str) -> File:
        """Return the file; raises NotFound."""
        item = self._items.get(item_id)
        if not isinstance(item, File):
            raise NotFound(item_id)
        return item

    def add_folder(self, parent: Folder, name: str, owner: User, now: float) -> Folder:
        """Return a new folder; raises NameTaken, ValueError for an impossible name."""
        free_name(parent, name)
        folder = Folder(self.new_id(), name, owner, now, parent, now)
        self._place(folder, parent)
        return folder

    def add_file(
        self, parent: Folder, name: str, owner: User, content: Content, now: float
    ) -> File:
        """Return a new file; raises NameTaken, ValueError for an impossible name."""
        free_name(parent, name)
        file = File(
            self.new_id(), name, owner, now, parent, content, self.new_id(), now
        )
        self._place(file, parent)
        return file

    def change(
        self, item: Item, now: float, *, name: str | None, parent: Folder | None
    ) -> None:
        """Rename or move an item; raises NameTaken, ValueError."""
        home = item.parent
        if home is None:
            raise ValueError("the root folder cannot be changed")
        target = parent or home
        if isinstance(item, Folder) and item in _ancestors(target):
            raise ValueError("a folder cannot be moved into itself")
        new_name = item.name if name is None else name
        free_name(target, new_name, besides=item)
        del home.children[item.name]
        item.name = new_name
        item.modified_at = now
        item.etag += 1
        self._place(item, target)

    def replace_content(self, file: File, content: Content, now: float) -> None:
        """Make *content* the file's new version."""
        file.content = content
        file.version_id = self.new_id()
        file.modified_at = now
        file.etag += 1

    def remove(self, item: Item) -> list[Item]:
        """Remove an item and what is in it; return all that is gone."""
        if item.parent is None:
            raise ValueError("the root folder cannot be deleted")
        del item.parent.children[item.name]
        gone = _with_descendants(item)
        for each in gone:
            del self._items[each.id]
        return gone

    def covers(self, resource: str, path: str) -> bool:
        """Tell whether the item that *path* names is *resource* or inside it."""
        kind, _, item_id = resource.partition("/")
        segments = path.split("/")
        for at, segment in enumerate(segments[:-1]):
            if segment in ("files", "folders"):
                item = self._items.get(segments[at + 1])
                return item is not None and any(
                    each.id == item_id and f"{each.kind}s" == kind
                    for each in (item, *_ancestors(item.parent))
                )
        return False

    def new_id(self) -> str:
        """Return an id that nothing has yet."""
        self._last_id += 1
        return str(self._last_id)

    def _place(self, item: Item, parent: Folder) -> None:
        item.parent = parent
        parent.children[item.name] = item
        self._items[item.id] = item


def free_name(folder: Folder, name: str, besides: Item | None = None) -> None:
    """Raise unless *folder* can take an item *name*: NameTaken, ValueError."""
    if (
        not name
        or len(name) > LONGEST_NAME
        or name in (".", "..")
        or name != name.strip()
        or "/" in name
        or "\\" in name
        or not name.isprintable()
    ):
        raise ValueError("the name is empty, too long, or holds what no name may")
    for child in folder.children.values():
        # Box's names are unique whatever their case.
        if child.name.lower() == name.lower() and child is not besides:
            raise NameTaken(child)


def _ancestors(folder: Folder | None) -> list[Folder]:
    found = []
    while folder is not None:
        found.append(folder)
        folder = folder.parent
    return found


def path_of(item: Item) -> list[Folder]:
    """Return the folders above *item*, the root first."""
    return _ancestors(item.parent)[::-1]


def _with_descendants(item: Item) -> list[Item]:
    found: list[Item] = [item]
    if isinstance(item, Folder):
        for child in item.children.values():
            found += _with_descendants(child)
    return found


def timestamp(instant: float) -> str:
    """Return an instant as Box writes it."""
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="seconds")
