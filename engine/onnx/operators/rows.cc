// Rows of an activation in another order, as a flip from RGB to BGR takes them: each run of rows that ascend by the
// same step is a Slice, and a Concat puts several runs together.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/onnx/fold.h"
#include "engine/onnx/operators/importers.h"

namespace resnetd::onnx {
namespace {

using graph::Dims;
using graph::ValueId;

constexpr size_t kMostRuns = 16;  // a node each

struct Run {
  int64_t first = 0, count = 1, step = 1;
};

std::vector<Run> RunsOf(absl::Span<const int64_t> rows) {
  std::vector<Run> runs;
  for (size_t i = 0; i < rows.size(); ++i) {
    Run* run = runs.empty() ? nullptr : &runs.back();
    const int64_t step = i > 0 ? rows[i] - rows[i - 1] : 0;
    if (run == nullptr || step < 1 || (run->count > 1 && step != run->step)) {
      runs.push_back({rows[i]});
      continue;
    }
    run->step = step;
    ++run->count;
  }
  return runs;
}

graph::Slice SliceOf(const Dims& dims, int64_t axis, const Run& run) {
  graph::Slice op;
  op.start.assign(dims.size(), 0);
  op.end.assign(dims.begin(), dims.end());
  op.step.assign(dims.size(), 1);
  op.start[axis] = run.first;
  op.end[axis] = run.first + (run.count - 1) * run.step + 1;
  op.step[axis] = run.step;
  return op;
}

bool IsWhole(const std::vector<Run>& runs, int64_t size) {
  return runs.size() == 1 && runs[0].first == 0 && runs[0].count == size;
}

absl::Status CheckRuns(const std::vector<Run>& runs) {
  if (runs.size() <= kMostRuns) return absl::OkStatus();
  return Expected("rows", absl::StrCat("at most ", kMostRuns, " runs of ascending ones"), absl::StrCat(runs.size()));
}

}  // namespace

absl::Status AddRows(NodeReader& n, Import& into, ValueId src, int64_t axis, absl::Span<const int64_t> rows) {
  const std::vector<Run> runs = RunsOf(rows);
  RESNETD_RETURN_IF_ERROR(CheckRuns(runs));
  const Dims dims = into.dims(src);
  if (IsWhole(runs, dims[axis])) return into.Alias(n, src);
  if (runs.size() == 1) return into.Add(n, SliceOf(dims, axis, runs[0]), {src});
  absl::InlinedVector<ValueId, 2> parts;
  // Each part is a node with the name of this one: a small file must not become a large graph.
  const int64_t part_floats = static_cast<int64_t>(n.name().size() + n.node().output(0).size()) / 4 + 64;
  RESNETD_RETURN_IF_ERROR(into.Spend(part_floats * static_cast<int64_t>(runs.size())));
  for (const Run& run : runs) {
    RESNETD_ASSIGN_OR_RETURN(const ValueId part, into.AddInner(n, SliceOf(dims, axis, run), {src}));
    parts.push_back(part);
  }
  return into.Add(n, graph::Concat{axis}, std::move(parts));
}

absl::Status GatherRows(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  RESNETD_ASSIGN_OR_RETURN(Ints indices, into.Integers(n, 1));
  Dims dims = into.dims(src);
  RESNETD_ASSIGN_OR_RETURN(const int64_t axis, ImageAxis(n.Int("axis", 0), dims.size()));
  const int64_t size = dims[axis];
  if (indices.values.empty()) return Expected("indices", "at least one", "none");
  for (int64_t& index : indices.values) {
    if (index < -size || index >= size)
      return Expected("index", absl::StrCat(-size, "..", size - 1), ToString({index}));
    index += index < 0 ? size : 0;
  }
  if (!indices.dims.empty()) return AddRows(n, into, src, axis, indices.values);
  // One index takes its axis away.
  ValueId row = src;
  if (size > 1) {
    RESNETD_ASSIGN_OR_RETURN(row, into.AddInner(n, SliceOf(dims, axis, {indices.values[0]}), {src}));
  }
  dims.erase(dims.begin() + axis);
  return into.Add(n, graph::Reshape{std::move(dims)}, {row});
}

}  // namespace resnetd::onnx
