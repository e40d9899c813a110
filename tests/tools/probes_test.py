"""tools/probes.py: the names in the source, and what it says of a summary."""

import unittest

from tree import Tree

import probes

SUMMARY = {"runs": 10, "fail": 0,
           "probes": {"a.one": {"seeds": 3, "times": 7}, "buggify.b.two": {"seeds": 1, "times": 1}}}


class Probes(unittest.TestCase):
    def test_names(self):
        files = {"src/a/a.cpp": 'runtime.probe("a.one"); probe(sink, "a.two"); f("a.no");\n',
                 "sim/b.cpp": 'buggify("b.two") buggify_delay(\n  "b.three", 3ms) chaos().reached("b.four")\n',
                 "tests/c.cpp": 'probe("c.not_here")\n'}
        with Tree(files) as root:
            self.assertEqual(probes.in_source(root),
                             {"a.one", "a.two", "buggify.b.two", "buggify.b.three", "b.four"})

    def test_complaints(self):
        names = {"a.one", "buggify.b.two"}
        self.assertEqual(list(probes.complaints(SUMMARY, names)), [])
        self.assertEqual(list(probes.complaints(SUMMARY, {"a.one"})), ["probe buggify.b.two is not in the source"])
        rare = min(probes.RARE)
        self.assertEqual(list(probes.complaints(SUMMARY, names | {rare, "a.three"})),
                         ["probe a.three was never reached"])
        self.assertEqual(len(list(probes.complaints(SUMMARY, names | {rare}, everything=True))), 1)

    def test_the_table_has_the_rarest_first(self):
        lines = list(probes.table(SUMMARY, {"a.one", "a.never", "buggify.b.two"}))
        self.assertEqual([line.split()[0] for line in lines[1:]], ["a.never", "buggify.b.two", "a.one"])
        self.assertIn("never", lines[1])

    def test_what_is_called_rare_exists(self):
        self.assertLessEqual(probes.RARE, probes.in_source(probes.cxx.repository()))


if __name__ == "__main__":
    unittest.main()
