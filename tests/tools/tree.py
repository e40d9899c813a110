"""A small source tree in a temporary directory, for the checks to be run on."""

import os
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
sys.dont_write_bytecode = True


class Tree:
    """`with Tree({"src/base/a.h": "..."}) as root:` makes the files and removes them at the end."""

    def __init__(self, files):
        self.files = files

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="drumlin-tools-test-")
        for path, text in self.files.items():
            full = os.path.join(self.directory.name, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as f:
                f.write(text)
        return self.directory.name

    def __exit__(self, *unused):
        self.directory.cleanup()
