#!/usr/bin/env python3
"""Small things that no compiler refuses and every reader meets.

    tools/tidy.py [ROOT]     exit 0: clean; 1: findings, one a line

Files over 700 lines, functions over 100, Python lines over 120 columns (clang-format counts those of
C++), markers of unfinished work, tabs, trailing blanks, a missing newline at the end, a header without
#pragma once, a script that cannot be executed, a file over 1 MiB.
"""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cxx  # noqa: E402

FILE_LINES = 700
FUNCTION_LINES = 100
COLUMNS = 120
BYTES = 1 << 20

# Spelt apart, so that this file passes itself.
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b|not implemented" r" yet", re.IGNORECASE)
TEXT = (".h", ".cpp", ".py", ".sh", ".txt", ".cmake", ".capnp", ".md", ".toml", ".json", ".scenario")


def lines_findings(path, text):
    lines = text.split("\n")
    source = path.endswith(cxx.SUFFIXES + (".py",))
    if text and not text.endswith("\n"):
        yield len(lines), "no newline at the end of the file"
    if source and len(lines) > FILE_LINES:
        yield 1, f"{len(lines)} lines; a file is one idea, at most {FILE_LINES}"
    for number, line in enumerate(lines, 1):
        if line != line.rstrip() and not (path.endswith(".md") and line.endswith("  ")):
            yield number, "blanks at the end of the line"
        if "\t" in line and not path.startswith("tests/"):
            yield number, "a tab"
        if UNFINISHED.search(line):
            yield number, "marks unfinished work: finish it, or file an issue"
        if path.endswith(".py") and len(line) > COLUMNS:
            yield number, f"{len(line)} columns"


_INSIDE = re.compile(r"\s*(?:\}|if\b|for\b|while\b|switch\b|else\b|do\b|catch\b|namespace\b|class\b|struct\b|enum\b)")


def function_findings(text):
    """Relies on clang-format: a function ends with the `}` in the column where it begins."""
    lines = cxx.mask(text).split("\n")

    def indent(line):
        return len(line) - len(line.lstrip())

    end = 0
    for number, line in enumerate(lines):
        if number < end or not line.endswith("{") or ")" not in line:
            continue
        start = number
        while start > 0 and indent(lines[start]) > 0 and (
                lines[start - 1].rstrip().endswith((",", "(")) or lines[start].lstrip().startswith(":")):
            start -= 1
        if _INSIDE.match(lines[start]):
            continue
        close = " " * indent(lines[start]) + "}"
        end = next((n for n in range(number + 1, len(lines)) if lines[n].startswith(close)), number)
        if end - start + 1 > FUNCTION_LINES:
            yield start + 1, f"a function of {end - start + 1} lines, at most {FUNCTION_LINES}"


def check(root):
    errors = []
    for path in cxx.files(root):
        full = os.path.join(root, path)
        if os.path.getsize(full) > BYTES:
            errors.append(f"{path}:1: {os.path.getsize(full)} bytes; large files do not belong in git")
            continue
        with open(full, "rb") as f:
            raw = f.read()
        if raw.startswith(b"#!") and not os.access(full, os.X_OK):
            errors.append(f"{path}:1: starts with #! but cannot be executed")
        if not (path.endswith(TEXT) or raw.startswith(b"#!") or path.startswith(".ci/")):
            continue
        text = raw.decode("utf-8", errors="replace")
        found = list(lines_findings(path, text))
        if path.endswith(cxx.SUFFIXES):
            found += function_findings(text)
        if path.endswith(".h") and not re.search(r"^#pragma once$", text, re.MULTILINE):
            found.append((1, "a header without #pragma once"))
        errors += [f"{path}:{line}: {what}" for line, what in found]
    return errors


def main(arguments):
    errors = check(arguments[0] if arguments else cxx.repository())
    for error in errors:
        print(error)
    if errors:
        print(f"tidy: {len(errors)} findings")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
