"""A build context that changes at random, and a model of it that says what must count.

Two moments must have equal fingerprints exactly where their models are equal.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

NAMES = ["a", "b", "ab", "A", "x.c", "é", " s", "-d", "n\nl"]
TEXTS = ["", "a", "b", "ab", "ba", "a\n", "a\r\n", "longer than the others\n"]
LINKS = ["a", "b", "../a", "nowhere", ".", "/etc/hosts"]
FILE_MODES = [0o644, 0o755, 0o600, 0o664, 0o744, 0o4755, 0o2755]
FOLDER_MODES = [0o755, 0o700, 0o775, 0o1777, 0o2755]
MOST = 14

Node = tuple[str, ...]
Item = tuple[str, Node]


class Context:
    """The directory ``root`` and its model: path → (kind, mode or link text, content)."""

    def __init__(self, root: Path, dice: random.Random) -> None:
        self.root = root
        self.dice = dice
        self.model: dict[str, Node] = {}
        root.mkdir(parents=True)
        self._write(".dockerignore", "*.log\nout\n", 0o644)
        (root / "out").mkdir()
        while len(self.model) < MOST // 2:
            self.create()

    # -- what counts

    def change(self) -> str:
        """One change that must be seen; its name."""
        while True:
            steps = [self.create, self.create, self.edit, self.edit, self.edit, self.chmod]
            steps += [self.remove, self.rename, self.retarget, self.replace, self.swap]
            step = self.dice.choice(steps)
            before = dict(self.model)
            step()
            if self.model != before:
                return step.__name__

    def create(self) -> None:
        path = self._free()
        if path is None or len(self.model) > MOST:
            return
        kind = self.dice.choice(["f", "f", "f", "l", "d"])
        if kind == "f":
            self._write(path, self.dice.choice(TEXTS), self.dice.choice(FILE_MODES))
        elif kind == "l":
            self._link(path, self.dice.choice(LINKS))
        else:
            self._mkdir(path, self.dice.choice(FOLDER_MODES))

    def edit(self) -> None:
        path = self._any("f")
        if path is not None:
            self._write(path, self.dice.choice(TEXTS), int(self.model[path][1]))

    def chmod(self) -> None:
        path = self._any("fd")
        if path is None:
            return
        kind, _, *rest = self.model[path]
        mode = self.dice.choice(FILE_MODES if kind == "f" else FOLDER_MODES)
        (self.root / path).chmod(mode)
        self.model[path] = (kind, str(mode), *rest)

    def remove(self) -> None:
        path = self._any("fld")
        if path is not None:
            self._remove(path)

    def rename(self) -> None:
        """A file, a link or a whole folder goes elsewhere."""
        path, new = self._any("fld"), self._free()
        if path is None or new is None or new.startswith(path + "/"):
            return
        (self.root / path).rename(self.root / new)
        for name in [name for name in self.model if name == path or name.startswith(path + "/")]:
            self.model[new + name.removeprefix(path)] = self.model.pop(name)

    def retarget(self) -> None:
        path = self._any("l")
        if path is not None:
            (self.root / path).unlink()
            self._link(path, self.dice.choice(LINKS))

    def replace(self) -> None:
        """A file becomes a link or a folder of its name, or the other way round."""
        path = self._any("fl")
        if path is None:
            return
        kind = self.model[path][0]
        self._remove(path)
        if self.dice.random() < 0.3:
            self._mkdir(path, 0o755)
        elif kind == "f":
            self._link(path, self.dice.choice(LINKS))
        else:
            self._write(path, self.dice.choice(TEXTS), 0o644)

    def swap(self) -> None:
        """Two files exchange their contents and times."""
        one, two = self._any("f"), self._any("f")
        if one is None or two is None:
            return
        for path, other in ((one, self.model[two]), (two, self.model[one])):
            info = (self.root / path).stat()
            self._write(path, other[2], int(self.model[path][1]))
            os.utime(self.root / path, ns=(info.st_atime_ns, info.st_mtime_ns))

    # -- what does not count

    def disturb(self) -> str:
        """One change that must not be seen; its name."""
        step: Callable[[], None] = self.dice.choice(
            [self.touch, self.rewrite, self.there_and_back, self.ignored]
        )
        step()
        return step.__name__

    def touch(self) -> None:
        path = self.root / self.dice.choice([*self.model])
        moment = self.dice.randrange(10**9)
        os.utime(path, (moment, moment), follow_symlinks=False)

    def rewrite(self) -> None:
        """The same bytes in a new inode."""
        path = self._any("f")
        if path is not None:
            _, mode, text = self.model[path]
            (self.root / path).unlink()
            self._write(path, text, int(mode))

    def there_and_back(self) -> None:
        path, new = self._any("fld"), self._free()
        if path is not None and new is not None and not new.startswith(path + "/"):
            (self.root / path).rename(self.root / new)
            (self.root / new).rename(self.root / path)

    def ignored(self) -> None:
        name = self.dice.choice(["debug.log", "out/a", "out/x.c"])
        (self.root / name).write_text(str(self.dice.random()))

    # -- both at once: the disk and the model

    def _any(self, kinds: str) -> str | None:
        found = [path for path, node in self.model.items() if node[0] in kinds]
        found = [path for path in found if path != ".dockerignore"]
        return self.dice.choice(sorted(found)) if found else None

    def _free(self) -> str | None:
        folders = [path for path, node in self.model.items() if node[0] == "d"]
        folder = self.dice.choice(["", *sorted(folders)])
        path = f"{folder}/{self.dice.choice(NAMES)}".lstrip("/")
        return None if path in self.model or path.count("/") > 3 else path

    def _write(self, path: str, text: str, mode: int) -> None:
        (self.root / path).write_bytes(text.encode())
        (self.root / path).chmod(mode)
        self.model[path] = ("f", str(mode), text)

    def _link(self, path: str, target: str) -> None:
        (self.root / path).symlink_to(target)
        self.model[path] = ("l", target)

    def _mkdir(self, path: str, mode: int) -> None:
        (self.root / path).mkdir()
        (self.root / path).chmod(mode)
        self.model[path] = ("d", str(mode))

    def _remove(self, path: str) -> None:
        if self.model[path][0] == "d":
            shutil.rmtree(self.root / path)
        else:
            (self.root / path).unlink()
        for name in [name for name in self.model if name == path or name.startswith(path + "/")]:
            del self.model[name]

    # -- views

    def state(self) -> frozenset[Item]:
        """The model as a value."""
        return frozenset(self.model.items())

    def snapshot(self, place: Path) -> None:
        """A copy, modes as in the model, times of now."""
        shutil.copytree(self.root, place, symlinks=True, copy_function=shutil.copyfile)
        for path, node in self.model.items():
            if node[0] != "l":
                (place / path).chmod(int(node[1]))
