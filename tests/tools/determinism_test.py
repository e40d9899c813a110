"""tools/determinism.py: each forbidden thing is caught, its permitted neighbours pass."""

import unittest

from tree import Tree

import determinism


def rules(text, path="src/raft/a.cpp"):
    """The rules that find something in `text`, in order of lines."""
    found = determinism.check_text(path, text)
    return [error.split("[")[1].split("]")[0] for error in found]


FORBIDDEN = {
    "threads": ["#include <thread>", "#include <mutex>", "#include <atomic>", "#include <pthread.h>",
                "void f() { std::this_thread::yield(); }", "std::mutex& m();", "void f() { std::async(g); }"],
    "os": ["#include <sys/socket.h>", "#include <unistd.h>", "#include <fcntl.h>", "#include <csignal>",
           "void f() { ::fsync(3); }", "void f() { mmap(a, b); }"],
    "clock": ["#include <ctime>", "auto t = std::chrono::steady_clock::now;", "using C = std::chrono::system_clock;",
              "void f() { time(nullptr); }", "void f() { std::time(&x); }", "void f() { clock_gettime(0, &t); }",
              "const char* const k = __DATE__;", "void f() { usleep(3); }"],
    "environment": ['const char* const k = getenv("X");', "void f() { std::getenv(x); }", "void f() { getpid(); }"],
    "random": ["#include <random>", "void f() { int x = rand(); }", "std::random_device& d();", "std::mt19937& g();",
               "void f() { std::shuffle(a, b, g); }", "void f(std::uniform_int_distribution<int> d);",
               "void f() { RAND_bytes(b, 3); }"],
    "address": ["size_t f() { return std::hash<Node*>{}(p); }", "void f(std::map<Node*, int>& m);",
                "void f(std::set<const drumlin::Node*>& s);", "auto f() { return reinterpret_cast<uintptr_t>(p); }",
                'void f() { show("%p", x); }'],
    "order": ["void f(std::unordered_map<int, int>& m);", "void f(std::unordered_set<int>& m);"],
    "files": ["#include <fstream>", "#include <filesystem>", "void f() { std::ifstream in(x); }",
              'void f() { auto* h = fopen("a", "r"); }'],
    "console": ["#include <iostream>", "void f() { std::cout << 1; }", 'void f() { std::printf("x"); }',
                'void f() { fprintf(stderr, "x"); }', 'void f() { fmt::print("x"); }'],
    "process": ["void f() { exit(1); }", "void f() { std::abort(); }", "void f() { ::fork(); }"],
    "draws": ["auto f() { return rng.next() + rng.next(); }", "void f() { g(rng_.below(2), rng_.below(3)); }",
              "void f() { g(std::to_string(ids_.next()), r.random().next(), ids_.next(), ids_.next()); }",
              "void f() { put(at, rng_.pick(list), static_cast<int>(rng_.below(3))); }",
              "bool f() { return rng.below(a) < rng.below(b); }",
              "void f() { m.step(rng_.below(2), /*x=*/rng_.chance(1, 2)); }"],
    "globals": ["int counter = 0;", "namespace a {\nstd::string name;\n}", "static int n;", "thread_local int n;",
                "void f() { static int n = 0; }", "void f() { static std::map<int, int> cache; }",
                "void f() { thread_local Fiber* current = nullptr; }", "const char* name = nullptr;",
                "struct A {\n  static int n;\n};", "struct A {\n  inline static int n = 0;\n};", "int table[4];",
                "std::vector<int> list{1, 2};", "void f() { static std::vector<int> list{1}; }"],
}

ALLOWED = [
    "#include <chrono>", "#include <cstdio>", "#include <vector>",
    "using Duration = std::chrono::nanoseconds;",
    "void f(Runtime& r) { r.clock().now(); }", "void f(Runtime& r) { r.random(); r.secure_random(b); }",
    "virtual const Rng& random() = 0;", "virtual Clock& clock() = 0;",
    "void f() { runtime.sleep_for(5ms); }", "void f() { disk.open(name, mode); log.remove(x); }",
    "void f() { entry.time(0); }", "// std::thread, rand() and time(nullptr) in a comment",
    'const std::string_view k = "std::thread and getenv(";',
    "void f(std::map<NodeId, Node*>& m);", "void f(std::set<std::string>& s);",
    "std::unordered_map<int, int> f();  // order: only looked up",
    "// order: only looked up\nstd::unordered_map<int, int> f();",
    "auto f() { return rng.chance(1, 2) ? rng.below(3) : rng.below(4); }", "void f() { g(a.next(), rng.next()); }",
    "bool f() { return rng.chance(1, 2) && rng.chance(1, 3) || rng.chance(1, 4); }",
    "void f() { if (rng.chance(1, 2)) x += rng.next(); }", "void f() { g({rng.below(2), 1 + rng.below(3)}); }",
    "auto f() { auto a = rng.next(); return a + rng.next(); }", "void f() { g(rng.between(1, 1 + rng.below(3))); }",
    "void f() { while (rng.chance(1, 2)) { h(rng.next()); } h(rng.next()); }",
    "void f() { rng.shuffle(v).at(rng.next()); }",
    "constexpr int kLimit = 3;", "inline constexpr std::string_view kName = \"a\";", "const int kLimit = 3;",
    "static const char* const kName = \"a\";", "const std::array<int, 2> kTable{1, 2};",
    "void f() { static const Table table = make(); }", "static int helper(int a);",
    "static int helper(int a) { return a; }", "int f(std::vector<int> a, int b = 3);",
    "template <typename T>\nT f(T a) { T b = a; return b; }", "enum class E : int { kA = 1, kB };",
    "struct A {\n  int n = 0;\n  static constexpr int kN = 3;\n  static A make();\n  std::string s{1};\n};",
    "class A;", "using X = int;", "extern \"C\" {\nint f(int);\n}", "namespace a::b {\nint f();\n}",
    "void f() { int n = 0; std::string s; auto g = [&] { int m = 1; return m; }; }",
    "A::A(int n) : n_{n}, m_(3) { int k = 2; }", "bool operator==(const A& a, const A& b) = default;",
    "#define X(a) \\\n  int a = 0;\n", "DRUMLIN_UNREACHABLE(\"x\");", "[[nodiscard]] int f();",
    "auto f() -> int;", "void f() { snprintf(b, n, \"x\"); }", "void f() { scheduler.exit(1); }",
]


class Rules(unittest.TestCase):
    def test_each_forbidden_thing_is_caught_by_its_rule(self):
        for rule, samples in FORBIDDEN.items():
            for text in samples:
                with self.subTest(rule=rule, text=text):
                    self.assertIn(rule, rules(text + "\n"))

    def test_each_rule_has_samples(self):
        known = set(determinism.RULES) | set(determinism.HEADERS) | {"order", "globals", "draws"}
        self.assertEqual(set(FORBIDDEN), known)

    def test_each_permitted_thing_passes(self):
        for text in ALLOWED:
            with self.subTest(text=text):
                self.assertEqual(determinism.check_text("src/raft/a.cpp", text + "\n"), [])

    def test_a_finding_names_file_line_and_what_to_do(self):
        self.assertEqual(determinism.check_text("src/raft/a.cpp", "\n\nvoid f() { std::abort(); }\n"),
                         ["src/raft/a.cpp:3: [process] std::abort(: use Runtime::halt, or a DRUMLIN_CHECK"])

    def test_an_order_comment_needs_a_reason(self):
        self.assertEqual(rules("std::unordered_map<int, int> f();  // order:\n"), ["order"])


class Exemptions(unittest.TestCase):
    def test_host_may_do_everything(self):
        text = "#include <thread>\n#include <sys/epoll.h>\nint g;\nvoid f() { ::fsync(1); getenv(x); }\n"
        self.assertEqual(rules(text, "src/host/epoll.cpp"), [])
        self.assertEqual(rules(text, "tests/host/t.cpp"), [])
        self.assertNotEqual(rules(text, "src/hosted/epoll.cpp"), [])

    def test_tests_may_read_files_but_not_clocks(self):
        self.assertEqual(rules("#include <fstream>\n", "tests/wal/t.cpp"), [])
        self.assertEqual(rules("void f() { time(nullptr); }\n", "tests/wal/t.cpp"), ["clock"])

    def test_the_terminal_belongs_to_server_and_the_testers_cli(self):
        text = 'void f() { std::printf("x"); }\n'
        self.assertEqual(rules(text, "src/server/main.cpp"), [])
        self.assertEqual(rules(text, "sim/cli/main.cpp"), [])
        self.assertEqual(rules(text, "sim/world/w.cpp"), ["console"])
        self.assertEqual(rules("void f() { getenv(x); }\n", "src/server/main.cpp"), ["environment"])

    def test_every_exemption_names_rules_that_exist_and_a_reason(self):
        known = set(determinism.RULES) | set(determinism.HEADERS) | {"order", "globals", "draws", "*"}
        for prefix, names, reason in determinism.EXEMPTIONS:
            self.assertLessEqual(set(names), known, prefix)
            self.assertGreater(len(reason), 10, prefix)

    def test_a_whole_tree(self):
        files = {"src/wal/a.cpp": "#include <thread>\n", "src/host/a.cpp": "#include <thread>\n",
                 "build/x/a.cpp": "#include <thread>\n", "tools/a.py": "import thread\n"}
        with Tree(files) as root:
            found = determinism.check(root)
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith("src/wal/a.cpp:1: [threads]"))


if __name__ == "__main__":
    unittest.main()
