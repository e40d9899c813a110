#!/usr/bin/env python3
"""The pages against the tree: what they name is there, and what is there is named.

One title a page; links and paths lead somewhere; every setting, metric, flag, scenario key, fault,
checker, exit code and error is on its page, and nothing that is gone still is; the room table of
ARCHITECTURE is that of tools/layers.toml.
"""

import glob
import os
import re
import sys
import tempfile
import tomllib
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Made by a build or a run: may be named, need not be there.
MADE = ("build/", "drumlin-data")
TOP = ("src", "sim", "tests", "tools", "docs", "scenarios", "cmake", "fuzz", "bench", ".ci")
ROOT_FILES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "CMakeLists.txt", "CMakePresets.json")
FENCE = re.compile(r"^(?:    |```)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")


class Tree:
    """A source tree with its pages. Every check yields findings, one a string."""

    def __init__(self, root):
        self.root = root
        rooms = os.path.join(root, "src")
        self.room_dirs = sorted(os.listdir(rooms)) if os.path.isdir(rooms) else []

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8") as f:
            return f.read()

    def exists(self, path):
        full = os.path.join(self.root, path)
        return bool(glob.glob(full)) if "*" in path else os.path.exists(full)

    def pages(self):
        found = [name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md") if self.exists(name)]
        for directory, _, names in sorted(os.walk(os.path.join(self.root, "docs"))):
            found += [os.path.relpath(os.path.join(directory, name), self.root)
                      for name in sorted(names) if name.endswith(".md")]
        return found

    def sources(self, *tops):
        for top in tops:
            for directory, _, names in sorted(os.walk(os.path.join(self.root, top))):
                for name in sorted(names):
                    if name.endswith((".h", ".cpp")):
                        yield os.path.relpath(os.path.join(directory, name), self.root)

    # -- pages alone

    def titles(self):
        for page in self.pages():
            lines = self.read(page).split("\n")
            titles = [line for line in lines if line.startswith("# ")]
            if len(titles) != 1 or lines[0] != titles[0]:
                yield f"{page}: {len(titles)} titles; a page has one, in its first line"

    def links(self):
        for page in self.pages():
            for target in LINK.findall(self.read(page)):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, anchor = target.partition("#")
                full = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
                if not self.exists(full):
                    yield f"{page}: the link to {target} leads nowhere"
                elif anchor and anchor not in self.anchors(full):
                    yield f"{page}: {target}: no such heading"

    def anchors(self, page):
        headings = re.findall(r"^#+ (.*)$", self.read(page), re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

    def paths(self):
        for page in self.pages():
            for word in self.path_words(self.read(page)):
                if not self.exists(word):
                    yield f"{page}: {word} is not there"

    def path_words(self, text):
        words = {word for code in CODE.findall(text) for word in code.split()[:1]}
        for line in text.split("\n"):
            if FENCE.match(line):
                words |= {word for word in line.split() if word.startswith(("tools/", "tests/"))}
        for word in sorted(words):
            word = word.rstrip("/.,;:")
            if word.startswith(MADE) or "<" in word or "{" in word:
                continue
            if word in ROOT_FILES or (word.split("/")[0] in TOP and "/" in word):
                yield word
            elif "/" in word and word.split("/")[0] in self.room_dirs and word.endswith((".h", ".cpp", ".capnp")):
                yield "src/" + word

    # -- pages and what they describe

    @staticmethod
    def both_ways(page, what, there, named):
        for name in sorted(there - named):
            yield f"{page}: {what} {name} is not described"
        for name in sorted(named - there):
            yield f"{page}: there is no {what} {name}"

    @staticmethod
    def missing(page, text, what, names):
        words = {word for code in CODE.findall(text) for word in re.split(r"[\s,=]+", code)}
        for name in sorted(set(names) - words):
            yield f"{page}: {what} {name} is not described"

    def table_rows(self, page, width):
        """Cells of the page's table rows with so many columns."""
        for line in self.read(page).split("\n"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if line.startswith("| ") and len(cells) == width:
                yield cells

    def settings(self):
        """Names both ways, and each default against node::Config."""
        page, source = "docs/OPERATING.md", self.read("src/server/config_file.cpp")
        there = set(re.findall(r'"([a-z]+\.[a-z0-9_]+)"', source))
        sections = {name.split(".")[0] for name in there}
        named = {word for word in CODE.findall(self.read(page))
                 if re.fullmatch(r"[a-z]+\.[a-z0-9_]+", word) and word.split(".")[0] in sections}
        yield from self.both_ways(page, "setting", there, named)
        fields = dict(re.findall(r'(?:text|number|milliseconds)\("([a-z_.0-9]+)", c\.(?:\w+\.)?(\w+)', source))
        config = self.read("src/node/config.h")
        documented = {row[0].strip("`"): row[1].strip("`") for row in self.table_rows(page, 3)}
        for name, field in sorted(fields.items()):
            declared = re.search(rf"\b{field}(?: = ([^;]+))?;", config)
            default = default_value(declared.group(1) if declared else None)
            if name in documented and documented[name] != default:
                yield f"{page}: {name} is {default} by default, not {documented[name]}"

    def daemon_flags(self):
        page = "docs/OPERATING.md"
        flags = re.findall(r'"(--[a-z-]+)"', self.read("src/server/main.cpp"))
        yield from self.missing(page, self.read(page), "flag", flags)

    def metrics(self):
        page = "docs/OPERATING.md"
        there = {name for path in self.sources("src")
                 for name in re.findall(r'"(drumlin_[a-z0-9_]+)"', self.read(path))}
        named = set(re.findall(r"\bdrumlin_[a-z0-9_]+", self.read(page)))
        yield from self.both_ways(page, "metric", there, named)

    def simulator(self):
        page = "docs/SIMULATOR.md"
        text, plan = self.read(page), self.read("sim/plan/plan_text.cpp")
        for kind in ("op_names", "encoding_names", "fault_names"):
            body = re.search(rf"& {kind}\(\) \{{(.*?)return", plan, re.DOTALL).group(1)
            yield from self.missing(page, text, kind[:-6], re.findall(r'"([a-z_-]+)"', body))
        yield from self.missing(page, text, "scenario key",
                                re.findall(r'\{"([a-z_]+)", &[a-z_]+\}', plan)
                                + re.findall(r'key == "([a-z]+)"', plan))
        for path in self.sources("sim"):
            source = self.read(path)
            yield from self.missing(page, text, "checker", re.findall(r'\.evaluated\("([a-z ]+)"', source))
            yield from self.missing(page, text, "class", re.findall(r'\.(?:safety|liveness)\("([a-z]+)"', source))
            yield from self.missing(page, text, "fault family",
                                    re.findall(r'\.(?:injected|effective|both)\("([a-z_]+)"', source))
        families = re.search(r"Families counted by the runtime: ([^.]+)\.", self.read("sim/runtime/faults.h"))
        yield from self.missing(page, text, "fault family", re.findall(r"\w+", families.group(1).replace("//", "")))
        yield from self.missing(page, text, "flag", [flag for flags in re.findall(
            r'"(--[a-z,-]+)"', self.read("sim/cli/main.cpp")) for flag in flags.split(",")])
        codes = set(re.findall(r"kExit\w+ = (\d+);", self.read("sim/run/run.h")))
        named = set(re.findall(r"^\| (\d+) \|", text, re.MULTILINE))
        yield from self.both_ways(page, "exit code", codes, named)
        yield from self.missing(page, text, "field", re.findall(r'\bout\["(\w+)"\]', self.read("sim/run/run.cpp")))

    def s3(self):
        page = "docs/S3.md"
        text, dispatch = self.read(page), self.read("src/s3/dispatch.cpp")
        names = re.search(r"kNames = \{(.*?)\}", dispatch, re.DOTALL).group(1)
        for name in re.findall(r'"([A-Z]\w+)"', names):
            if f"| {name} |" not in text:
                yield f"{page}: operation {name} is not described"
        errors = re.findall(r"ErrorInfo\{\s*k\w+,\s*\"(\w+)\", (\d+)", self.read("src/s3/errors.cpp"))
        there = {f"{name} {status}" for name, status in errors}
        named = {f"{row[0]} {row[1]}" for row in self.table_rows(page, 3)
                 if re.fullmatch(r"\d{3}", row[1]) and row[0].isalnum()}
        yield from self.both_ways(page, "error", there, named)
        refused = re.search(r"kSubresources = \{(.*?)\}", dispatch, re.DOTALL).group(1)
        yield from self.missing(page, text.replace("`?", "`"), "subresource", re.findall(r'"([\w-]+)"', refused))

    def rooms(self):
        page = "docs/ARCHITECTURE.md"
        rows = tomllib.loads(self.read("tools/layers.toml"))["rooms"]
        there = {room for room, row in rows.items() if "part_of" not in row}
        text = self.read(page)
        section = text[text.index("## Rooms"):text.index("\n## ", text.index("## Rooms") + 1)]
        table = dict(re.findall(r"^\| `([a-z0-9/]+)` \| (.*) \|$", section, re.MULTILINE))
        yield from self.both_ways(page, "room", there, set(table))
        for room, what in sorted(table.items()):
            empty = room not in TOP and not any(True for _ in self.sources(os.path.join("src", room)))
            if room not in TOP and empty != what.startswith("reserved"):
                yield f"{page}: room {room} has {'no code' if empty else 'code'}, the table says otherwise"

    def checks(self):
        return [self.titles, self.links, self.paths, self.settings, self.daemon_flags, self.metrics,
                self.simulator, self.s3, self.rooms]


def default_value(initializer):
    """A C++ initializer as the page writes it: bytes, milliseconds, TOML strings."""
    if initializer is None:
        return '""'
    if match := re.fullmatch(r"(?:uint64_t\{)?(\d+)u?\}? << (\d+)", initializer):
        return str(int(match.group(1)) << int(match.group(2)))
    if match := re.fullmatch(r"(\d+)(ms|s)", initializer):
        return str(int(match.group(1)) * (1000 if match.group(2) == "s" else 1))
    return initializer


class Pages(unittest.TestCase):
    """The tree as it is."""

    def test_pages(self):
        tree = Tree(ROOT)
        self.assertGreater(len(tree.pages()), 15)
        for check in tree.checks():
            with self.subTest(check.__name__):
                found = list(check())
                self.assertEqual(found, [], "\n" + "\n".join(found))


class Planted(unittest.TestCase):
    """Each check finds what is planted for it."""

    def findings(self, check, files):
        with tempfile.TemporaryDirectory(prefix="drumlin-docs-test-") as root:
            for path, text in files.items():
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w", encoding="utf-8") as f:
                    f.write(text)
            return list(getattr(Tree(root), check)())

    def assert_finds(self, check, files, *parts):
        found = self.findings(check, files)
        self.assertEqual(len(found), len(parts), found)
        for part, finding in zip(parts, found):
            self.assertIn(part, finding)

    def test_titles(self):
        self.assert_finds("titles", {"README.md": "# One\n\n## Two\n"})
        self.assert_finds("titles", {"README.md": "# One\n\n# Two\n", "docs/A.md": "none\n"}, "README", "docs/A.md")

    def test_links(self):
        good = {"README.md": "# R\n[a](docs/A.md#the-end) [web](https://example.org)\n",
                "docs/A.md": "# A\n\n## The end\n[back](../README.md)\n"}
        self.assert_finds("links", good)
        self.assert_finds("links", {**good, "docs/B.md": "# B\n[gone](C.md) [no](A.md#nowhere)\n"},
                          "C.md leads nowhere", "no such heading")

    def test_paths(self):
        files = {"src/raft/raft.h": "", "tools/run": "",
                 "README.md": "# R\n`src/raft/raft.h` `raft/raft.h` `src/raft/*.h` `build/x` `tools/run --nodes 3`\n"
                              "`https/x` `a/b`\n"}
        self.assert_finds("paths", files)
        files["README.md"] += "`src/raft/gone.h` `raft/no.h` `src/*.h`\n\n    tools/gone 1\n"
        self.assert_finds("paths", files, "src/raft/no.h", "src/*.h", "src/raft/gone.h", "tools/gone")

    def test_settings(self):
        files = {"src/server/config_file.cpp": 'number("ports.s3", c.s3_port) number("ports.api", c.api_port)\n',
                 "src/node/config.h": "uint16_t s3_port = 9000;\nuint16_t api_port = 9001;\n",
                 "docs/OPERATING.md": "| `ports.s3` | `9000` | S3 |\n| `ports.api` | `9001` | API |\n"}
        self.assert_finds("settings", files)
        files["docs/OPERATING.md"] = "| `ports.s3` | `9100` | S3 |\n| `ports.old` | `1` | gone |\n"
        self.assert_finds("settings", files, "ports.api", "no setting ports.old", "9000 by default")

    def test_metrics(self):
        files = {"src/a/a.cpp": 'counter("drumlin_a_total")', "docs/OPERATING.md": "`drumlin_a_total`"}
        self.assert_finds("metrics", files)
        files["docs/OPERATING.md"] = "`drumlin_b_total`"
        self.assert_finds("metrics", files, "drumlin_a_total is not described", "no metric drumlin_b_total")

    def test_rooms(self):
        files = {"tools/layers.toml": "[rooms.a]\nmay = []\n[rooms.b]\nmay = []\n[rooms.c]\npart_of = 'a'\nmay = []\n",
                 "src/a/a.h": "", "docs/ARCHITECTURE.md": "## Rooms\n| `a` | x |\n| `b` | reserved: y |\n\n## End\n"}
        self.assert_finds("rooms", files)
        files["docs/ARCHITECTURE.md"] = "## Rooms\n| `a` | reserved: x |\n| `d` | reserved: y |\n\n## End\n"
        self.assert_finds("rooms", files, "room b is not described", "no room d", "room a has code")

    def test_defaults(self):
        self.assertEqual([default_value(x) for x in (None, "256u << 20", "50ms", "10s", '"x"', "7")],
                         ['""', str(256 << 20), "50", "10000", '"x"', "7"])


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main()
