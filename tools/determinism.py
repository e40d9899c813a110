#!/usr/bin/env python3
"""Refuses what would let a run differ from its seed: see the RULES below.

    tools/determinism.py [ROOT]     exit 0: clean; 1: findings, one a line

Everything a node sees of the world comes through src/runtime; only src/host may touch the operating
system. The same seed must give the same run, event for event, so node and simulator may not read
clocks, chance, the environment or addresses, nor depend on the order of a hash table.

Text is matched, types are not known: a rule errs on the strict side. Where something is right
nevertheless, name it in EXEMPTIONS with the reason; a hash container says at its line why its order
cannot reach output:   std::unordered_map<Id, Entry> by_id_;  // order: only looked up, never walked
"""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cxx  # noqa: E402
import draws  # noqa: E402

CHECKED = ("src", "sim", "tests", "fuzz")

# Where a rule does not hold: path prefix, rules ("*": all), reason.
EXEMPTIONS = [
    ("src/host/", ("*",), "the production runtime: the one room with an operating system"),
    ("tests/host/", ("*",), "tests the production runtime on the real system"),
    ("tests/", ("files", "console", "globals"),
     "reads golden bytes and scenarios, talks to whoever runs it; one process, no nodes that share it"),
    ("fuzz/", ("files", "console", "globals", "clock", "process"),
     "a fuzzer's driver; campaigns are seeded by RapidCheck, last for --seconds of real time and have a "
     "check_failed() of their own"),
    ("src/rpc/capnp.h", ("address",), "asks whether a buffer is aligned; the address goes nowhere"),
    ("src/server/", ("console",), "the daemon's and the admin command's terminal"),
    ("src/base/check.cpp", ("console", "process"), "a failed CHECK says so and ends the process"),
    ("src/kv/rocksdb/", ("threads",), "RocksDB's own threads report their errors there"),
    ("sim/cli/", ("console", "files", "process", "os", "clock", "environment"),
     "the tester's own terminal: plans and traces in files, each seed in a child process, wall_s"),
    ("sim/rocksdb/", ("threads", "os"),
     "replaces RocksDB's waiting on condition variables by running its queued jobs inline"),
    ("sim/rocksdb/env.cpp", ("clock",), "names the header of RocksDB's clock interface"),
    ("sim/rocksdb/hooks.cpp", ("globals",), "hooks that the linker puts in have no other way to know their caller"),
]

# Headers by rule.
HEADERS = {
    "threads": "thread mutex shared_mutex condition_variable future semaphore latch barrier stop_token "
               "atomic pthread.h threads.h boost/thread boost/fiber",
    "os": "sys/ linux/ arpa/ net/ netinet/ unistd.h fcntl.h poll.h netdb.h dirent.h csignal signal.h "
          "dlfcn.h spawn.h sched.h liburing.h boost/filesystem boost/process",
    "clock": "ctime time.h",
    "files": "fstream filesystem",
    "console": "iostream print",
    "random": "random",
}

# rule -> (pattern over code without comments and strings, what to do instead)
_NOT_MEMBER = r"(?<![\w.>:])(?:std::|::)?"
RULES = {
    "threads": (
        r"\bstd::(?:jthread|thread|this_thread|mutex|recursive_mutex|shared_mutex|condition_variable\w*|"
        r"async|future|promise|atomic\w*|counting_semaphore|barrier|latch)\b",
        "fibers and runtime/sync.h; blocking work goes through Runtime::offload"),
    "os": (
        _NOT_MEMBER + r"(?:socket|epoll_\w+|mmap|munmap|fsync|fdatasync|pread|pwrite|ioctl|syscall|sigaction)"
        r"\s*\(",
        "the interfaces of src/runtime"),
    "clock": (
        r"\b(?:system_clock|steady_clock|high_resolution_clock|file_clock|utc_clock|tai_clock)\b"
        r"|" + _NOT_MEMBER + r"(?:clock_gettime|gettimeofday|timespec_get|localtime(?:_r)?|mktime|nanosleep|"
        r"usleep|sleep)\s*\("
        r"|" + _NOT_MEMBER + r"time\s*\(\s*(?:NULL|nullptr|0|&\w+)\s*\)"
        r"|\bstd::clock\s*\("
        r"|\b(?:__DATE__|__TIME__|__TIMESTAMP__|__rdtsc)\b",
        "Runtime::clock()"),
    "environment": (
        r"\b(?:getenv|secure_getenv|setenv|putenv|environ|gethostname|getpid|gettid|getuid)\b",
        "configuration that is handed in"),
    "random": (
        r"\bstd::(?:random_device|default_random_engine|mt19937\w*|minstd_rand0?|shuffle|sample)\b"
        r"|\bstd::(?:\w+_)?distribution\b|\b\w+_distribution\s*<"
        r"|" + _NOT_MEMBER + r"(?:rand|srand|srandom|drand48|lrand48|arc4random|getrandom|getentropy)\s*\("
        r"|\bRAND_(?:bytes|priv_bytes)\b",
        "base/rng.h from Runtime::random(), or Runtime::secure_random()"),
    "address": (
        r"\bstd::hash<[^<>]*\*\s*>"
        r"|\b(?:std::)?(?:map|set|multimap|multiset|flat_map|flat_set)<\s*(?:const\s+)?[\w:]+(?:\s+const)?\s*\*"
        r"|\breinterpret_cast<\s*(?:std::)?u?intptr_t\s*>"
        r"|\bhash_code\s*\(\s*\)|\btype_index\b",
        "an id: addresses differ from run to run"),
    "files": (
        r"\bstd::(?:i|o)?fstream\b|\bstd::filesystem\b"
        r"|" + _NOT_MEMBER + r"(?:fopen|freopen|tmpfile|mkstemp|creat)\s*\("
        r"|\bO_(?:RDONLY|WRONLY|RDWR|CREAT)\b",
        "Runtime::disk()"),
    "console": (
        r"\bstd::(?:cout|cerr|clog|cin)\b|\bfmt::print\b"
        r"|" + _NOT_MEMBER + r"(?:printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|fwrite|perror)\s*\(",
        "the log of src/observe"),
    "process": (
        _NOT_MEMBER + r"(?:fork|vfork|execv\w*|execl\w*|popen|system|posix_spawnp?|waitpid|exit|_exit|_Exit|"
        r"quick_exit|abort|atexit|signal|raise)\s*\(",
        "Runtime::halt, or a DRUMLIN_CHECK"),
}
COMPILED = {rule: re.compile(pattern) for rule, (pattern, _) in RULES.items()}
FORMAT_POINTER = re.compile(r'"[^"\n]*(?:%p|\{:p\})')

UNORDERED = re.compile(r"\b(?:std::|boost::)?unordered_(?:flat_|node_)?(?:multi)?(?:map|set)\s*<|\bflat_hash_\w+\s*<")
ORDER_REASON = re.compile(r"//\s*order:\s*\S+")


def exempt(path, rule):
    return any(path.startswith(prefix) and ("*" in rules or rule in rules)
               for prefix, rules, _ in EXEMPTIONS)


def header_findings(masked):
    for line, kind, header in cxx.includes(masked):
        if kind != "<":
            continue
        for rule, names in HEADERS.items():
            for name in names.split():
                if header == name or (header.startswith(name) and ("/" in name)):
                    yield line, rule, f"<{header}>"


def pattern_findings(masked):
    for rule, pattern in COMPILED.items():
        for match in pattern.finditer(masked):
            yield cxx.line_of(masked, match.start()), rule, " ".join(match.group(0).split())


def unordered_findings(text, masked):
    lines = text.split("\n")
    for match in UNORDERED.finditer(masked):
        line = cxx.line_of(masked, match.start())
        # At the line, at one of the two after it (a long declaration), or right above it.
        around = lines[max(0, line - 2):line + 2]
        if not any(ORDER_REASON.search(candidate) for candidate in around):
            yield line, "order", match.group(0)


# -- mutable globals ----------------------------------------------------------------------------------

_NAMESPACE = re.compile(r"^(?:inline\s+)?namespace\b|^extern\s*$")
_TYPE = re.compile(r"\b(?:class|struct|union|enum)\b")
_NO_VARIABLE = re.compile(
    r"^(?:using|typedef|template|class|struct|union|enum|friend|static_assert|namespace|extern|return|"
    r"concept|public|private|protected|requires|operator|asm|DRUMLIN_\w+|TEST\w*|BENCHMARK\w*|INSTANTIATE_\w+)\b")
_DECLARED = re.compile(r"^[\w:<>,\s*&\[\].()-]*?[\w>&*\]]\s+\**&?\s*([A-Za-z_][\w:]*)\s*(?:\[[^\]]*\]\s*)*$")


def without_templates(text):
    previous = None
    while previous != text:
        previous, text = text, re.sub(r"<[^<>]*>", "", text)
    return text


def is_constant(declaration):
    """Whether nothing reachable by this name alone can be assigned."""
    flat = without_templates(declaration)
    if re.search(r"\bconst(?:expr)?\b", flat) is None:
        return False
    if re.search(r"\bconstexpr\b", flat):
        return True
    return "*" not in flat or re.search(r"\*\s*const\b", flat) is not None


def head_of_variable(statement):
    """`int x` of `int x = 5;`, or None when the statement declares no variable."""
    statement = re.sub(r"\[\[[^\]]*\]\]|\balignas\s*\([^)]*\)", " ", statement).strip()
    if not statement or _NO_VARIABLE.match(statement):
        return None
    head = re.split(r"(?<![=!<>])=(?!=)", statement, maxsplit=1)[0].strip()
    if "(" in without_templates(head) or "operator" in head:
        return None  # a function; a variable made by (...) is not told apart, write {...}
    flat = without_templates(head)
    return head if _DECLARED.match(flat) else None


def global_findings(masked):
    """Variables that outlive a call and can change: at namespace scope, static, thread_local."""
    code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*",
                  lambda m: "".join(c if c == "\n" else " " for c in m.group(0)), masked, flags=re.MULTILINE)
    scopes, begin = ["namespace"], 0

    def finding(start, text):
        start += len(text) - len(text.lstrip())
        return cxx.line_of(code, start), "globals", " ".join(text.split())[:60]

    def examine(start, end):
        text = code[start:end]
        stripped = text.strip()
        if not stripped or scopes[-1] == "values":
            return None
        lasting = re.match(r"(?:inline\s+)?(?:static|thread_local)\b", stripped)
        if lasting:
            bare = re.sub(r"\b(?:static|thread_local|inline)\b", "", stripped).strip()
            head = head_of_variable(bare)
            if head is not None and not is_constant(head):
                return finding(start, text)
            return None
        if scopes[-1] != "namespace":
            return None
        head = head_of_variable(re.sub(r"^\s*inline\b", "", stripped))
        return finding(start, text) if head is not None and not is_constant(head) else None

    for match in re.finditer(r"[{};]", code):
        char, at = match.group(0), match.start()
        if char == "{":
            before = code[begin:at].strip()
            before = re.sub(r"^(?:(?:public|private|protected)\s*:\s*)+", "", before)
            if _NAMESPACE.match(before):
                scopes.append("namespace")
            elif _TYPE.search(re.sub(r"^template\s*<[^{]*?>\s*(?=class|struct|union)", "", before)) and \
                    ")" not in before and "=" not in before:
                scopes.append("values" if re.search(r"\benum\b", before) else "type")
            elif scopes[-1] in ("namespace", "type") and head_of_variable(
                    re.sub(r"\b(?:static|thread_local|inline)\b", "", before)) is not None:
                found = examine(begin, at)
                if found:
                    yield found
                scopes.append("values")
            elif re.match(r"(?:static|thread_local)\b", before) and "(" not in without_templates(before):
                found = examine(begin, at)
                if found:
                    yield found
                scopes.append("values")
            else:
                scopes.append("body")
        elif char == "}":
            if len(scopes) > 1:
                scopes.pop()
        else:
            found = examine(begin, at)
            if found:
                yield found
        begin = at + 1


ADVICE = {
    "order": "the order of a hash container differs between builds; use an ordered one, or say at its line "
             "`// order: why it cannot reach output`",
    "draws": "the compiler chooses which comes first; draw into variables, one after the other",
    "globals": "nodes share the process; keep it in an object that belongs to the node",
}


def check_text(path, text):
    masked = cxx.mask(text)
    found = list(header_findings(masked)) + list(pattern_findings(masked))
    found += unordered_findings(text, masked)
    found += global_findings(masked)
    found += [(cxx.line_of(masked, at), "draws", what[:80]) for at, what in draws.findings(masked)]
    for match in FORMAT_POINTER.finditer(text):
        found.append((cxx.line_of(text, match.start()), "address", "a pointer printed"))
    result = []
    for line, rule, what in sorted(set(found)):
        if not exempt(path, rule):
            advice = ADVICE.get(rule) or "use " + RULES[rule][1]
            result.append(f"{path}:{line}: [{rule}] {what}: {advice}")
    return result


def check(root):
    errors = []
    for path in cxx.files(root, cxx.SUFFIXES, CHECKED):
        errors += check_text(path, cxx.read(root, path))
    return errors


def main(arguments):
    errors = check(arguments[0] if arguments else cxx.repository())
    for error in errors:
        print(error)
    if errors:
        print(f"determinism: {len(errors)} findings")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
