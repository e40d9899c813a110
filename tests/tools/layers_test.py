"""tools/layers.py: each kind of violation is found, each permitted shape passes."""

import unittest

from tree import ROOT, Tree

import cxx
import layers

TABLE = """
[rooms.base]
may = []
pure = true
[rooms.runtime]
may = ["base"]
[rooms."kv/api"]
may = ["base"]
pure = true
[rooms."kv/rocksdb"]
may = ["base", "kv/api"]
[rooms.replica]
may = ["base", "runtime", "kv/api"]
exports = ["base", "runtime"]
[rooms."placement/planner"]
part_of = "placement"
may = ["base"]
pure = true
[rooms.placement]
may = ["replica"]
exports = ["base"]
[rooms.router]
may = ["replica", "placement"]
[rooms.host]
may = ["runtime"]
[rooms.sim]
may = ["*"]
except = ["host"]
[rooms.tests]
may = ["*", "sim", "tests"]
[rooms.fuzz]
may = ["*"]
[rooms.bench]
may = ["*"]
[libraries.rocksdb]
headers = ["rocksdb/"]
link = ["RocksDB::"]
rooms = ["kv/rocksdb", "sim/rocksdb"]
[libraries.fmt]
headers = ["fmt/"]
link = ["fmt::"]
rooms = ["*"]
"""

BASE = {
    "src/base/a.h": "#pragma once\n#include <vector>\n",
    "src/runtime/r.h": '#include "base/a.h"\n',
    "src/kv/api/kv.h": '#include "base/a.h"\n',
    "src/replica/g.h": '#include "runtime/r.h"\n',
    "src/placement/planner.h": '#include "base/a.h"\n',
    "src/host/h.h": '#include "runtime/r.h"\n',
}


def check(files):
    with Tree({**BASE, **files}) as root:
        return layers.check(root, TABLE)


class Includes(unittest.TestCase):
    def passes(self, files):
        self.assertEqual(check(files), [])

    def fails(self, files, *parts):
        errors = check(files)
        self.assertEqual(len(errors), 1, errors)
        for part in parts:
            self.assertIn(part, errors[0])

    def test_the_plain_tree_is_clean(self):
        self.passes({})

    def test_upwards_is_refused_with_file_line_and_rows(self):
        self.fails({"src/base/b.h": '\n#include "runtime/r.h"\n'},
                   "src/base/b.h:2:", "base may not include runtime", "rows that may: ", "replica")

    def test_an_include_in_a_comment_or_string_is_none(self):
        self.passes({"src/base/b.h": '// #include "runtime/r.h"\n/*\n#include "runtime/r.h"\n*/\n'
                                     'const char* const k = "#include";\n'})

    def test_exports_reach_one_room_further(self):
        self.passes({"src/router/r.h": '#include "runtime/r.h"\n#include "base/a.h"\n'})
        self.fails({"src/router/r.h": '#include "kv/api/kv.h"\n'}, "router may not include kv/api")

    def test_a_pure_room_gets_no_exports(self):
        self.fails({"src/kv/api/x.h": '#include "runtime/r.h"\n'}, "kv/api may not include runtime")

    def test_sub_rooms_are_rooms(self):
        self.passes({"src/kv/rocksdb/e.h": '#include "kv/api/kv.h"\n'})
        self.fails({"src/kv/rocksdb/e.h": "", "src/replica/e.h": '#include "kv/rocksdb/e.h"\n'},
                   "replica may not include kv/rocksdb")

    def test_a_part_is_stricter_but_seen_as_its_room(self):
        self.passes({"src/router/p.h": '#include "placement/planner.h"\n',
                     "src/placement/executor.h": '#include "placement/planner.h"\n#include "replica/g.h"\n'})
        self.fails({"src/placement/planner.cpp": '#include "replica/g.h"\n'},
                   "placement/planner may not include replica")

    def test_a_file_of_no_room(self):
        self.fails({"src/kv/loose.h": ""}, "src/kv/loose.h:1:", "no room")

    def test_generated_schema_belongs_to_its_room(self):
        schema = {"src/runtime/m.capnp": "@0x0;\n"}
        self.passes({**schema, "src/replica/w.cpp": '#include "runtime/m.capnp.h"\n'})
        self.fails({**schema, "src/base/w.cpp": '#include "runtime/m.capnp.h"\n'}, "base may not")

    def test_an_include_that_does_not_exist(self):
        self.fails({"src/base/b.h": '#include "a.h"\n'}, 'cannot find "a.h"')

    def test_sim_includes_everything_but_host(self):
        self.passes({"sim/world/w.h": '#include "replica/g.h"\n#include "sim/world/v.h"\n',
                     "sim/world/v.h": ""})
        self.fails({"sim/world/w.h": '#include "host/h.h"\n'}, "sim may not include host")

    def test_nothing_in_src_includes_sim_or_tests(self):
        self.fails({"sim/w.h": "", "src/router/r.h": '#include "sim/w.h"\n'}, "router may not include sim")
        self.fails({"tests/w.h": "", "src/router/r.h": '#include "tests/w.h"\n'}, "may not include tests")

    def test_tests_include_anything(self):
        self.passes({"tests/host/t.cpp": '#include "host/h.h"\n#include "f.h"\n#include <rocksdb/db.h>\n',
                     "tests/host/f.h": '#include "sim/w.h"\n', "sim/w.h": ""})

    def test_outside_libraries_have_homes(self):
        self.passes({"src/kv/rocksdb/e.cpp": "#include <rocksdb/db.h>\n",
                     "sim/rocksdb/e.cpp": "#include <rocksdb/env.h>\n",
                     "src/base/f.cpp": "#include <fmt/format.h>\n"})
        self.fails({"src/replica/e.cpp": "#include <rocksdb/db.h>\n"},
                   "rocksdb may be used in: kv/rocksdb, sim/rocksdb")
        self.fails({"sim/world/e.cpp": "#include <rocksdb/db.h>\n"}, "rocksdb may be used in")
        self.fails({"src/base/f.cpp": "#include <left/pad.h>\n"}, "<left/pad.h> is of no library")


class Cmake(unittest.TestCase):
    def errors(self, text, where="src/replica/CMakeLists.txt"):
        return check({where: text})

    def test_deps_that_match_pass(self):
        self.assertEqual(self.errors("drumlin_room(\n  NAME replica # why\n  DEPS runtime\n  LIBS fmt::fmt)\n"), [])

    def test_a_forbidden_dep(self):
        errors = self.errors("\ndrumlin_room(NAME replica DEPS runtime host)\n")
        self.assertEqual(len(errors), 1)
        self.assertIn("src/replica/CMakeLists.txt:2: DEPS of replica name host", errors[0])

    def test_a_missing_dep(self):
        errors = self.errors("drumlin_room(NAME replica)\n")
        self.assertEqual(len(errors), 1)
        self.assertIn("replica includes runtime; its DEPS do not name it", errors[0])

    def test_an_idle_dep(self):
        errors = self.errors("drumlin_room(NAME replica DEPS runtime kv/api)\n")
        self.assertEqual(len(errors), 1)
        self.assertIn("none of its files includes it", errors[0])

    def test_libs_have_homes_too(self):
        self.assertIn("its homes are kv/rocksdb",
                      self.errors("drumlin_room(NAME replica DEPS runtime LIBS RocksDB::rocksdb)\n")[0])
        self.assertIn("leftpad is of no library",
                      self.errors("drumlin_room(NAME replica DEPS runtime LIBS leftpad)\n")[0])

    def test_a_room_without_a_row(self):
        self.assertIn("room nowhere has no row", self.errors("drumlin_room(NAME nowhere)\n")[0])

    def test_sim_may_not_link_host(self):
        errors = self.errors("drumlin_room(NAME sim_world DEPS host)\n", "sim/CMakeLists.txt")
        self.assertIn("sim may not include", errors[0])


class TableItself(unittest.TestCase):
    def test_a_cycle_is_refused(self):
        with self.assertRaisesRegex(layers.TableError, "a cycle: .*base"):
            layers.Table(TABLE.replace("[rooms.base]\nmay = []", '[rooms.base]\nmay = ["replica"]'))

    def test_an_unknown_room_is_refused(self):
        with self.assertRaisesRegex(layers.TableError, "names bass"):
            layers.Table(TABLE.replace('may = ["runtime"]', 'may = ["bass"]'))

    def test_the_real_table_is_sound_and_keeps_the_promises(self):
        table = layers.Table(cxx.read(ROOT, "tools/layers.toml"))
        self.assertEqual(table.allowed("raft"), {"raft", "base"})
        self.assertEqual(table.allowed("shard"), {"shard", "base", "kv/api", "txn"})
        self.assertNotIn("host", table.allowed("sim"))
        for room in table.src_rooms:
            if room not in ("host", "server"):
                self.assertNotIn("host", table.allowed(room), room)
        self.assertFalse(table.may_use("src/s3/x.cpp", "s3", "openssl"))
        self.assertTrue(table.may_use("sim/cli/main.cpp", "sim", "cli11"))
        self.assertFalse(table.may_use("sim/world/w.cpp", "sim", "operating-system"))


if __name__ == "__main__":
    unittest.main()
