#!/usr/bin/env python3
"""Checks that every room includes only what it may: tools/layers.toml against sources and CMake.

    tools/layers.py [ROOT]      exit 0: clean; 1: violations, one a line; 2: the table is wrong

Checked: each include of a room or an outside library, that DEPS and LIBS of drumlin_room() name
exactly what the room's files include, and that the table itself has no cycles.
"""

import os
import re
import sys
import tomllib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cxx  # noqa: E402

TOP = ("src", "sim", "tests", "fuzz", "bench")
FREE = ("tests", "fuzz", "bench")  # may use every outside library


class TableError(Exception):
    pass


class Table:
    def __init__(self, text):
        data = tomllib.loads(text)
        self.rows = data["rooms"]
        self.libraries = data["libraries"]
        self.src_rooms = [r for r in self.rows if r not in ("sim",) + FREE]
        self.rooms = [r for r, row in self.rows.items() if "part_of" not in row]
        for room, row in self.rows.items():
            for name in row["may"] + row.get("exports", []) + row.get("except", []):
                if name != "*" and name not in self.rows:
                    raise TableError(f"[rooms.{room}] names {name}, which has no row")
        self._refuse_cycles()

    def _refuse_cycles(self):
        done, path = set(), []

        def visit(room):
            if room in path:
                raise TableError("a cycle: " + " -> ".join(path[path.index(room):] + [room]))
            if room in done:
                return
            path.append(room)
            for other in self.rows[room]["may"]:
                if other in self.src_rooms:
                    visit(other)
            path.pop()
            done.add(room)

        for room in self.src_rooms:
            visit(room)

    def allowed(self, room):
        """Every room that files of `room` may include, itself included."""
        row = self.rows[room]
        result = {room}
        for other in row["may"]:
            if other == "*":
                result |= set(self.src_rooms)
                continue
            result.add(other)
            if not row.get("pure"):
                result |= set(self.rows[other].get("exports", []))
        return result - set(row.get("except", []))

    def room_of(self, path):
        """The room that owns a file, or None. `path` is relative to the repository."""
        top, _, rest = path.partition("/")
        if top in ("sim",) + FREE:
            return top
        if top != "src":
            return None
        stem = rest.split(".")[0]  # placement/planner is two files, not a folder
        owners = [r for r in self.src_rooms if rest.startswith(r + "/") or stem == r]
        return max(owners, key=len, default=None)

    def seen_as(self, room):
        """What others call the room: a part is its room."""
        return self.rows[room].get("part_of", room)

    def library_of(self, header):
        for name, library in self.libraries.items():
            if any(header.startswith(prefix) for prefix in library["headers"]):
                return name
        return None

    def library_of_link(self, target):
        for name, library in self.libraries.items():
            if any(target.startswith(prefix) for prefix in library["link"]):
                return name
        return None

    def may_use(self, path, room, library):
        if room in FREE:
            return True
        where = path if room == "sim" else "src/" + room
        for home in self.libraries[library]["rooms"]:
            prefix = home if home.split("/")[0] == "sim" else "src/" + home
            if home == "*" or (where + "/").startswith(prefix + "/"):
                return True
        return False


def resolve(root, path, header):
    """The repository path that `#include "header"` means in file `path`, or None."""
    candidates = ["src/" + header, header]
    if path.split("/")[0] in FREE:
        candidates.append(os.path.dirname(path) + "/" + header)
    for candidate in candidates:
        if os.path.isfile(os.path.join(root, candidate)):
            return candidate
        if candidate.endswith(".capnp.h") and os.path.isfile(os.path.join(root, candidate[:-2])):
            return candidate
    return None


def is_standard(header):
    return "/" not in header and "." not in header


def check_file(root, table, path, used):
    """Violations of one file; `used` collects {room: {rooms it includes}}."""
    room = table.room_of(path)
    if room is None:
        return [f"{path}:1: belongs to no room of tools/layers.toml"]
    errors = []
    allowed = table.allowed(room)
    for line, kind, header in cxx.includes(cxx.mask(cxx.read(root, path))):
        where = f"{path}:{line}"
        if kind == "<":
            library = table.library_of(header)
            if library is not None:
                if not table.may_use(path, room, library):
                    homes = ", ".join(table.libraries[library]["rooms"]) or "tests only"
                    errors.append(f"{where}: includes <{header}>; {library} may be used in: {homes}")
            elif not is_standard(header):
                errors.append(f"{where}: <{header}> is of no library in tools/layers.toml")
            continue
        target = resolve(root, path, header)
        if target is None:
            errors.append(f'{where}: cannot find "{header}"; write "room/file.h", '
                          'or "sim/part/file.h" for the simulator')
            continue
        other = table.room_of(target)
        if other is None:
            errors.append(f'{where}: "{header}" belongs to no room of tools/layers.toml')
            continue
        if other == room:
            continue
        other = table.seen_as(other)
        used.setdefault(table.seen_as(room), set()).add(other)
        if other not in allowed:
            rows = [r for r in table.rooms if r not in FREE and r != other and other in table.allowed(r)]
            errors.append(f'{where}: {room} may not include {other} ("{header}"); '
                          f"rows that may: {', '.join(rows) or 'none'}")
    return errors


_CALL = re.compile(r"^[ \t]*drumlin_room\s*\(([^)]*)\)", re.MULTILINE)


def cmake_rooms(text):
    """(line, name, deps, libs) of each drumlin_room() call."""
    text = re.sub(r"#[^\n]*", lambda m: " " * len(m.group(0)), text)
    for match in _CALL.finditer(text):
        fields = {"NAME": [], "SOURCES": [], "DEPS": [], "LIBS": []}
        current = "NAME"
        for word in match.group(1).split():
            if word in fields:
                current = word
            else:
                fields[current].append(word)
        name = fields["NAME"][0] if fields["NAME"] else "?"
        yield cxx.line_of(text, match.start()), name, fields["DEPS"], fields["LIBS"]


def check_cmake(root, table, used):
    errors = []
    for path in cxx.files(root, ("CMakeLists.txt",), ("src", "sim")):
        for line, room, deps, libs in cmake_rooms(cxx.read(root, path)):
            where = f"{path}:{line}"
            if path.startswith("sim/"):
                for dep in deps:
                    if not dep.startswith("sim") and dep not in table.allowed("sim"):
                        errors.append(f"{where}: DEPS of {room} name {dep}, which sim may not include")
                continue
            if room not in table.rooms:
                errors.append(f"{where}: room {room} has no row in tools/layers.toml")
                continue
            allowed = table.allowed(room)
            includes = used.get(room, set())
            for dep in deps:
                if dep not in allowed:
                    errors.append(f"{where}: DEPS of {room} name {dep}, which it may not include")
                elif dep not in includes:
                    errors.append(f"{where}: DEPS of {room} name {dep}, but none of its files includes it")
            for other in sorted(includes - set(deps) - {room}):
                if other in allowed:
                    errors.append(f"{where}: {room} includes {other}; its DEPS do not name it")
            for lib in libs:
                library = table.library_of_link(lib)
                if library is None:
                    errors.append(f"{where}: {lib} is of no library in tools/layers.toml")
                elif not table.may_use(path, room, library):
                    errors.append(f"{where}: LIBS of {room} name {lib}; its homes are "
                                  f"{', '.join(table.libraries[library]['rooms'])}")
    return errors


def check(root, table_text):
    table = Table(table_text)
    used, errors = {}, []
    for path in cxx.files(root, cxx.SUFFIXES, TOP):
        errors += check_file(root, table, path, used)
    return errors + check_cmake(root, table, used)


def main(arguments):
    root = arguments[0] if arguments else cxx.repository()
    try:
        errors = check(root, cxx.read(root, "tools/layers.toml"))
    except (TableError, KeyError, tomllib.TOMLDecodeError) as error:
        print(f"tools/layers.toml: {error}")
        return 2
    for error in errors:
        print(error)
    if errors:
        print(f"layers: {len(errors)} violations of tools/layers.toml")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
