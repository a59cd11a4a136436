"""The include check finds each kind of wrong include in a small tree, and nothing in a right one."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import check_includes  # noqa: E402

HEADERS = ["engine/engine.h", "engine/graph/graph.h", "engine/onednn/plan.h", "engine/memory/planner.h",
           "engine/image/image.h", "models/model.h", "server/scheduling/policy.h", "cli/call/client.h"]

# file, its include line, whether that is allowed
CASES = [
    ("engine/graph/graph.cc", '#include "engine/graph/graph.h"', True),
    ("engine/graph/graph.cc", '#include "absl/status/status.h"', True),
    ("engine/graph/graph.cc", "#include <vector>", True),
    ("engine/graph/graph.cc", '#include "graph.h"', False),
    ("engine/graph/graph.cc", '#include "engine/onednn/plan.h"', False),
    ("engine/graph/graph.cc", '#include "engine/engine.h"', False),
    ("engine/graph/graph.cc", "#include <dnnl.hpp>", False),
    ("engine/graph/graph.cc", "  #  include <oneapi/dnnl/dnnl.hpp>", False),
    ("engine/onednn/plan.cc", "#include <dnnl.hpp>", True),
    ("engine/onednn/plan.cc", '#include "engine/memory/planner.h"', True),
    ("engine/onednn/plan.cc", '#include "engine/image/image.h"', False),
    ("engine/engine.cc", '#include "engine/onednn/plan.h"', True),
    ("engine/engine.cc", '#include "models/model.h"', False),
    ("engine/engine.cc", '#include "engine/image/image.h"', False),
    ("engine/engine.cc", "#include <grpcpp/grpcpp.h>", False),
    ("engine/engine.cc", "#include <prometheus/counter.h>", False),
    ("engine/engine.cc", '#include "resnetd/v1/inference.pb.h"', False),
    ("engine/image/decode/png.cc", "#include <png.h>", True),
    ("engine/image/image.cc", "#include <png.h>", False),
    ("engine/image/image.cc", '#include "engine/graph/graph.h"', False),
    ("engine/memory/planner.cc", '#include "engine/graph/graph.h"', False),
    ("server/main.cc", '#include "engine/engine.h"', True),
    ("server/main.cc", '#include "engine/graph/graph.h"', False),
    ("server/edge/edge.cc", "#include <grpcpp/grpcpp.h>", True),
    ("server/main.cc", "#include <grpcpp/grpcpp.h>", False),
    ("server/main.cc", "#include <dnnl.hpp>", False),
    ("server/main.cc", '#include "cli/call/client.h"', False),
    ("server/scheduling/policy.cc", '#include "server/scheduling/policy.h"', True),
    ("server/scheduling/policy.cc", '#include "models/model.h"', False),
    ("server/scheduling/policy.cc", '#include "engine/engine.h"', False),
    ("server/scheduling/policy.cc", "#include <grpcpp/grpcpp.h>", False),
    ("server/scheduling/policy.cc", "#include <spdlog/spdlog.h>", False),
    ("cli/main.cc", "#include <grpcpp/grpcpp.h>", True),
    ("cli/main.cc", '#include "engine/engine.h"', True),
    ("cli/main.cc", '#include "engine/graph/graph.h"', False),
    ("cli/main.cc", '#include "models/model.h"', True),
    ("cli/main.cc", '#include "server/scheduling/policy.h"', False),
    ("cli/project/pca.cc", "#include <Eigen/Core>", True),
    ("engine/engine.cc", "#include <Eigen/Core>", False),
    ("cli/project/project.cc", "#include <onnx/onnx_pb.h>", True),
    ("server/main.cc", "#include <onnx/onnx_pb.h>", False),
    ("bench/engine/engine_bench.cc", '#include "engine/engine.h"', True),
    ("bench/engine/engine_bench.cc", '#include "engine/onednn/plan.h"', False),
    ("bench/engine/engine_bench.cc", '#include "models/model.h"', False),
    ("bench/image/image_bench.cc", '#include "engine/image/image.h"', True),
    ("bench/image/image_bench.cc", '#include "engine/graph/graph.h"', False),
]


class CheckIncludes(unittest.TestCase):
    def check(self, files: dict[str, str]) -> tuple[int, list[str]]:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in files.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return check_includes.check(root)

    def test_each_case(self):
        for name, line, allowed in CASES:
            with self.subTest(file=name, line=line):
                files = {header: "" for header in HEADERS}
                files[name] = f"// one\n{line}\n"
                count, complaints = self.check(files)
                self.assertEqual(count, len(HEADERS) + 1)
                self.assertEqual(len(complaints), 0 if allowed else 1, complaints)
                if not allowed:
                    self.assertTrue(complaints[0].startswith(f"{name}:2: "), complaints[0])

    def test_an_empty_tree_is_no_success(self):
        with tempfile.TemporaryDirectory() as folder:
            run = subprocess.run([sys.executable, ROOT / "scripts/check_includes.py", folder], capture_output=True)
        self.assertEqual(run.returncode, 1)

    def test_each_folder_refuses_what_it_must_not_know(self):
        for folder in check_includes.OWN:
            strangers = {other for other in check_includes.OWN if other not in ("base", folder)}
            for rule in check_includes.OWN[folder]:
                strangers -= {other for other in strangers if other == rule.removesuffix("/*") or rule.startswith(f"{other}/")
                              or not rule.endswith("/*") and other.startswith(f"{rule}/")}  # fmt: skip
            self.assertGreater(len(strangers), 5, folder)
            for other in sorted(strangers):
                with self.subTest(folder=folder, other=other):
                    _, complaints = self.check({f"{other}/stranger.h": "", f"{folder}/one.cc": f'#include "{other}/stranger.h"\n'})
                    self.assertEqual(len(complaints), 1)

    def test_each_folder_of_ours_has_a_rule_and_each_rule_a_folder(self):
        files = [path for top in check_includes.TOPS for path in (ROOT / top).rglob("*") if path.suffix in (".h", ".cc")]
        self.assertEqual({path.parent.relative_to(ROOT).as_posix() for path in files}, set(check_includes.OWN))

    def test_a_folder_without_a_rule_is_a_complaint(self):
        _, complaints = self.check({"cli/new_folder/one.h": "#include <vector>\n"})
        self.assertEqual(complaints, ["cli/new_folder/one.h:1: its folder has no rule in scripts/check_includes.py"])


if __name__ == "__main__":
    unittest.main()
