"""Finds two draws from one generator whose order the language leaves to the compiler.

`a.next() + a.next()` and `f(a.next(), a.next())` draw in one order with GCC and in the other with Clang: the same
seed, two runs. Between two draws of one generator there must be something that orders them: a statement's end,
`?`, `&&`, `||`, an assignment, a shift, the comma of a braced list (C++17, [expr] and [dcl.init.list]).
Text is matched, as in determinism.py; the text given has its comments and strings blanked.
"""

import re

_DRAW = re.compile(r"((?:\w+(?:\.|->|\(\)|::))*\w*(?:rng|random|ids)\w*(?:\(\))?)(?:\.|->)"
                   r"(?:next|below|between|chance|log_uniform|duration_between|pick)\s*\(", re.IGNORECASE)
_ORDERED = re.compile(r"[;?]|(?<!:):(?!:)|&&|\|\||<<|>>|(?<![=!<>])=(?!=)|\b(?:else|return|do)\b")
_UNORDERED = re.compile(r"[-+*/%^&|<>]|[=!]=")
_STATEMENT = re.compile(r"\b(?:if|while|for|switch|constexpr)\s*$")
_PAIRS = {")": "(", "]": "[", "}": "{"}


def _openers(text):
    """Index of a closing bracket -> index of the one that opens it."""
    stack, openers = [], {}
    for at, char in enumerate(text):
        if char in "([{":
            stack.append(at)
        elif char in _PAIRS:
            if stack and text[stack[-1]] == _PAIRS[char]:
                openers[at] = stack.pop()
    return openers


def _between(text, begin, end, openers):
    """What stands between two places on the innermost level that encloses both, and the brackets that were left."""
    level, depth, left = [], 0, []
    for at in range(begin, end):
        char = text[at]
        if char in "([{":
            depth += 1
        elif char in _PAIRS:
            if depth > 0:
                depth -= 1
                continue
            left.append(openers.get(at))
            level = []
            continue
        if depth == 0:
            level.append(char)
    return "".join(level), left


def _encloser(text, at):
    depth = 0
    for i in range(at - 1, -1, -1):
        if text[i] in _PAIRS:
            depth += 1
        elif text[i] in "([{":
            if depth == 0:
                return text[i]
            depth -= 1
    return "{"


def _closing(text, at):
    depth = 0
    for i in range(at, len(text)):
        if text[i] in "([{":
            depth += 1
        elif text[i] in _PAIRS:
            depth -= 1
            if depth == 0:
                return i
    return len(text)


def findings(text):
    """(offset of the second draw, the two draws as text) of each pair without an order."""
    openers = _openers(text)
    draws = [(m.start(), _closing(text, m.end() - 1), m.group(1)) for m in _DRAW.finditer(text)]
    for (first, first_end, source), (second, second_end, other) in zip(draws, draws[1:]):
        if source != other or second < first_end:  # a draw in the arguments of another comes before it
            continue
        level, left = _between(text, first_end + 1, second, openers)
        if any(o is None or _STATEMENT.search(text[:o]) or text[o] == "{" and ";" in text[o:second] for o in left):
            continue
        if _ORDERED.search(level):
            continue
        if "," in level and _encloser(text, left[-1] if left else first) == "{":
            continue  # a braced list, from left to right
        if "," in level or _UNORDERED.search(level):
            yield second, " ".join(text[first:second_end + 1].split())
