"""tools/tidy.py and the masking that all source checks rest on."""

import os
import unittest

from tree import Tree

import cxx
import tidy

MARKER = "TO" "DO"


class Tidy(unittest.TestCase):
    def findings(self, path, text):
        with Tree({path: text}) as root:
            return tidy.check(root)

    def test_a_clean_file(self):
        self.assertEqual(self.findings("src/a.h", "#pragma once\nint f();\n"), [])

    def test_each_finding(self):
        cases = {
            "blanks at the end": "#pragma once\nint f(); \n",
            "a tab": "#pragma once\n\tint f();\n",
            "unfinished": f"#pragma once\n// {MARKER}: more\n",
            "no newline": "#pragma once\nint f();",
            "#pragma once": "int f();\n",
            "701 lines": "#pragma once\n" + "int f();\n" * 699,
            "a function of 102 lines": "#pragma once\nint f() {\n" + "  g();\n" * 100 + "}\n",
        }
        for part, text in cases.items():
            with self.subTest(part):
                found = self.findings("src/a.h", text)
                self.assertEqual(len(found), 1, found)
                self.assertIn(part, found[0])

    def test_a_signature_over_two_lines_and_its_neighbours(self):
        body = "    g();\n" * 60
        text = ("#pragma once\nclass A {\n  int f(int a,\n        int b) {\n" + body + "  }\n"
                "  A()\n      : a_(1),\n        b_(2) {\n    g();\n  }\n"
                "  int h() {\n    if (a) {\n" + body + "    }\n  }\n};\n")
        self.assertEqual(self.findings("src/a.h", text), [])
        found = self.findings("src/a.h", text.replace(body, body * 2, 1))
        self.assertEqual(len(found), 1, found)
        self.assertIn("src/a.h:3: a function of 123 lines", found[0])

    def test_a_script_must_be_executable(self):
        with Tree({"tools/x": "#!/bin/sh\n"}) as root:
            self.assertIn("cannot be executed", tidy.check(root)[0])
            os.chmod(os.path.join(root, "tools/x"), 0o755)
            self.assertEqual(tidy.check(root), [])

    def test_a_large_file(self):
        found = self.findings("docs/x.bin", "a" * (tidy.BYTES + 1))
        self.assertIn("do not belong in git", found[0])


class Mask(unittest.TestCase):
    def test_keeps_lines_and_columns(self):
        text = 'int a; // b\nconst char* c = "d\\"e"; /* f\ng */ int h = 1\'000; char i = \'"\';\n'
        masked = cxx.mask(text)
        self.assertEqual(len(masked), len(text))
        self.assertEqual(masked.count("\n"), text.count("\n"))
        for gone in "bdefg":
            self.assertNotIn(gone, masked.replace("const char", "").replace("char", ""))
        self.assertIn("int h = 1'000; char i =", masked)

    def test_raw_strings(self):
        masked = cxx.mask('auto a = R"x(std::thread " )x"; int b;')
        self.assertEqual(masked.split(), ["auto", "a", "=", ";", "int", "b;"])

    def test_includes_survive(self):
        self.assertEqual(cxx.includes(cxx.mask('#include "a/b.h"  // why\n# include <c>\n//#include <d>\n')),
                         [(1, '"', "a/b.h"), (2, "<", "c")])


if __name__ == "__main__":
    unittest.main()
