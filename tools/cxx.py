"""What the source checks share: the repository's files, and C++ text without comments and strings.

Not a parser. `mask` blanks out comments, strings and character literals but keeps every line and
column, so that a match in the masked text is a match in code and can be reported at its line.
"""

import os
import re
import subprocess

SUFFIXES = (".h", ".cpp")


def repository():
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def files(root, suffixes=None, under=None):
    """Paths relative to `root`, sorted: what git knows or would add; all files where git is absent."""
    try:
        out = subprocess.run(
            ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            check=True, capture_output=True, text=True).stdout
        found = [f for f in out.split("\0") if f]
    except (subprocess.CalledProcessError, FileNotFoundError):
        found = []
        for directory, subdirectories, names in os.walk(root):
            subdirectories[:] = [d for d in subdirectories if d not in ("build", ".git")]
            found += [os.path.relpath(os.path.join(directory, n), root) for n in names]
    found = [f for f in sorted(set(found)) if os.path.isfile(os.path.join(root, f))]
    if suffixes is not None:
        found = [f for f in found if f.endswith(tuple(suffixes))]
    if under is not None:
        found = [f for f in found if f.split("/")[0] in under]
    return found


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


_TOKEN = re.compile(
    r"""
      //(?:\\\n|[^\n])*                                  # line comment
    | /\*.*?\*/                                          # block comment
    | \bR"(?P<tag>[^\s()\\]{0,16})\(.*?\)(?P=tag)"       # raw string
    | "(?:\\.|[^"\\\n])*"                                # string
    | (?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'                # character, but not the 1'000 separator
    """,
    re.VERBOSE | re.DOTALL)


def mask(text):
    """The text with comments, strings and characters blanked; same lines, same columns.

    `#include "..."` keeps its quotes' content: it is no string.
    """
    def blank(match):
        token = match.group(0)
        if token.startswith('"'):
            line = text[text.rfind("\n", 0, match.start()) + 1:match.start()]
            if re.fullmatch(r"\s*#\s*include\s*", line):
                return token
        return "".join(c if c == "\n" else " " for c in token)
    return _TOKEN.sub(blank, text)


_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def includes(masked):
    """(line, "<" or '"', path) of each include of a masked text."""
    return [(masked.count("\n", 0, m.start()) + 1, m.group(1), m.group(2))
            for m in _INCLUDE.finditer(masked)]


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1
