// Post-ops: what a layer does to its result as it stores it. Each chain is one step of the plan.
#include <functional>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/plan_checker.h"

namespace resnetd::onednn {
namespace {

using graph::Activation;
using graph::ActivationKind;
using graph::Binary;
using graph::BinaryKind;
using graph::PostOps;
using graph::ValueId;
using reference::GraphBuilder;
using Operands = absl::InlinedVector<ValueId, 2>;

// "+Add+Relu"
std::string NameOf(const PostOps& post_ops) {
  std::string name;
  for (const graph::PostOp& post_op : post_ops) {
    absl::StrAppend(&name, "+", std::visit([](const auto& op) { return graph::OpName(op); }, post_op));
  }
  return name;
}

// A layer under test, what precedes it included; its result has 20 channels and 5x6 pixels.
struct Host {
  const char* what;
  const char* before;  // the steps before it
  const char* op;
  std::function<ValueId(GraphBuilder&, const PostOps&, Operands)> add;
};

ValueId AddGrouped(GraphBuilder& b, ValueId src, int64_t groups, const PostOps& post_ops, Operands operands) {
  graph::Conv conv = b.Conv(20, b.dims(src)[0] / groups, {3, 3});
  conv.pads = {1, 1, 1, 1};
  conv.groups = groups;
  operands.insert(operands.begin(), src);
  return b.Add(conv, operands, post_ops);
}

std::vector<Host> Layers() {
  return {
      {"the first convolution", "", "Conv",
       [](GraphBuilder& b, const PostOps& ops, const Operands& in) {
         return AddConv(b, b.image(), 20, 3, 1, ops, in);
       }},
      {"a convolution behind another", "Conv, ", "Conv",
       [](GraphBuilder& b, const PostOps& ops, const Operands& in) {
         return AddConv(b, AddConv(b, b.image(), 16), 20, 3, 1, ops, in);
       }},
      {"1x1", "Conv, ", "Conv",
       [](GraphBuilder& b, const PostOps& ops, const Operands& in) {
         return AddConv(b, AddConv(b, b.image(), 32), 20, 1, 1, ops, in);
       }},
      {"depthwise", "Conv, ", "Conv",
       [](GraphBuilder& b, const PostOps& ops, const Operands& in) {
         return AddGrouped(b, AddConv(b, b.image(), 20), 20, ops, in);
       }},
      {"five groups", "Conv, ", "Conv",
       [](GraphBuilder& b, const PostOps& ops, const Operands& in) {
         return AddGrouped(b, AddConv(b, b.image(), 20), 5, ops, in);
       }},
      {"a product", "", "Mul",
       [](GraphBuilder& b, const PostOps& ops, Operands in) {
         in.insert(in.begin(), b.image());
         return b.Add(Binary{BinaryKind::kMul, b.Random({20, 1, 1}, -2, 2)}, in, ops);
       }},
  };
}

graph::Dims Image() {
  return {20, 5, 6};
}

// The operands are made before the layer, as the passes see to.
PlanCase OnLayer(const Host& host, const std::string& what, const PostOps& post_ops,
                 const std::function<Operands(GraphBuilder&)>& operands = nullptr, const std::string& before = "",
                 const std::string& slow_because = "") {
  return {absl::StrCat(host.what, " ", what), Image(),
          [=](GraphBuilder& b) {
            const Operands in = operands ? operands(b) : Operands();
            return b.FinishFlat(host.add(b, post_ops, in));
          },
          absl::StrCat(before, host.before, host.op, NameOf(post_ops)), slow_because};
}

TEST(PlanFusions, Activations) {
  std::vector<Host> hosts = Layers();
  hosts.push_back(
      {"an inner product along the last axis", "Slice, ", "Gemm", [](GraphBuilder& b, const PostOps& ops, Operands in) {
         in.insert(in.begin(), b.Add(graph::Slice{{0, 0, 0}, {20, 5, 4}, {1, 1, 1}}, {b.image()}));
         return b.Add(b.Gemm(6, 4), in, ops);
       }});
  for (const Host& host : hosts) {
    for (const Activation& activation : AllActivations()) {
      if (activation.kind == ActivationKind::kErf) continue;  // passes leave it alone
      PostOps post_ops = {activation};
      if (NeedsPositive(activation)) post_ops.insert(post_ops.begin(), Activation{ActivationKind::kClip, 0.1f, 2});
      CheckPlans({OnLayer(host, NameOf(post_ops), post_ops)});
    }
  }
}

constexpr BinaryKind kKinds[] = {BinaryKind::kAdd, BinaryKind::kSub, BinaryKind::kMul,
                                 BinaryKind::kDiv, BinaryKind::kMax, BinaryKind::kMin};

TEST(PlanFusions, Constants) {
  for (const Host& host : Layers()) {
    for (const BinaryKind kind : kKinds) {
      for (const graph::Dims& dims : {graph::Dims{1, 1, 1}, {20, 1, 1}, {20, 5, 6}, {1, 5, 6}, {1, 1, 6}}) {
        GraphBuilder weights(Image(), 7);
        const PostOps post_ops = {Binary{kind, weights.Random(dims, 0.5f, 2)}};
        const bool fused = dims[1] * dims[2] == 1;
        CheckPlans({OnLayer(host, absl::StrCat(NameOf(post_ops), " ", graph::ToString(dims)), post_ops, nullptr, "",
                            fused ? "" : "the passes fuse one value a channel only")});
      }
    }
  }
}

TEST(PlanFusions, Values) {
  for (const Host& host : Layers()) {
    for (const BinaryKind kind : kKinds) {
      for (const graph::Dims& dims : {graph::Dims{20, 5, 6}, {20, 1, 1}, {1, 5, 6}, {1, 1, 1}}) {
        const bool whole = dims == Image();
        const auto operands = [=](GraphBuilder& b) -> Operands {
          const ValueId positive = AddPositive(b, b.image());
          if (whole) return {positive};
          return {b.Add(graph::Slice{{0, 0, 0}, {dims[0], dims[1], dims[2]}, {1, 1, 1}}, {positive})};
        };
        const PostOps post_ops = {Binary{kind, nullptr}};
        CheckPlans({OnLayer(host, absl::StrCat(NameOf(post_ops), " ", graph::ToString(dims)), post_ops, operands,
                            whole ? "Clip, " : "Clip, Slice, ", whole ? "" : "the passes fuse whole maps only")});
      }
    }
  }
}

TEST(PlanFusions, Chains) {
  const Activation relu = graph::Relu(), swish = {ActivationKind::kSwish, 1},
                   hard_swish = {ActivationKind::kHardSwish, 1.0f / 6, 0.5f}, halve = {ActivationKind::kLinear, 0.5f};
  const Binary add = graph::Add();
  GraphBuilder weights(Image(), 7);
  const Binary scale = {BinaryKind::kMul, weights.Random({20, 1, 1}, 0.5f, 2)},
               shift = {BinaryKind::kAdd, weights.Random({20, 1, 1}, -1, 1)};
  const auto maps = [](GraphBuilder& b) -> Operands {
    return {AddPositive(b, b.image()), b.Add(Activation{ActivationKind::kTanh}, {b.image()})};
  };
  const auto map = [](GraphBuilder& b) -> Operands { return {AddPositive(b, b.image())}; };
  for (const Host& host : Layers()) {
    CheckPlans({
        OnLayer(host, "a residual block's end", {add, relu}, map, "Clip, "),
        OnLayer(host, "clamps, then adds", {relu, add}, map, "Clip, "),
        OnLayer(host, "a block of MobileNetV3", {hard_swish, add}, map, "Clip, "),
        OnLayer(host, "a block of EfficientNet", {swish, add}, map, "Clip, "),
        OnLayer(host, "two residuals", {add, add, relu}, maps, "Clip, Tanh, "),
        OnLayer(host, "a residual that is halved", {add, halve}, map, "Clip, "),
        OnLayer(host, "what is left of batch norm, then relu", {scale, shift, relu}),
        OnLayer(host, "a residual, then batch norm and relu", {add, scale, shift, relu}, map, "Clip, "),
        OnLayer(host, "eight", {add, relu, scale, swish, shift, hard_swish, scale, relu}, map, "Clip, "),
    });
  }
}

// Squeeze and excitation: the gate's two inner products are convolutions of one pixel, and the gate is applied where
// the map is stored.
TEST(PlanFusions, SqueezeAndExcitation) {
  CheckPlans({{"behind a depthwise convolution",
               {32, 7, 7},
               [](GraphBuilder& b) {
                 const ValueId x = AddConv(b, b.image(), 32);
                 const ValueId pooled = b.Add(graph::GlobalAveragePool(), {x});
                 const ValueId narrow = AddConv(b, pooled, 8, 1, 1, {graph::Relu()});
                 const ValueId gate = AddConv(b, narrow, 32, 1, 1, {Activation{ActivationKind::kSigmoid}});
                 const ValueId gated =
                     b.Add(Binary{BinaryKind::kMul, nullptr}, {x, gate, b.image()}, {graph::Add(), graph::Relu()});
                 return b.FinishFlat(gated);
               },
               "Conv, ReduceMean, Conv+Relu, Conv+Sigmoid, Mul+Add+Relu"}});
}

TEST(PlanFusions, Vectors) {
  const Activation relu = graph::Relu();
  GraphBuilder weights(Image(), 7);
  const Binary scale = {BinaryKind::kMul, weights.Random({9}, 0.5f, 2)},
               one = {BinaryKind::kAdd, weights.Random({1}, 1, 2)};
  const auto gemm = [](const PostOps& post_ops, bool residual) -> PlanCase {
    return {absl::StrCat("Gemm", NameOf(post_ops)),
            {1, 1, 9},
            [=](GraphBuilder& b) {
              const ValueId flat = b.Add(graph::Flatten(), {b.image()});
              Operands in = {flat};
              if (residual) in.push_back(flat);
              return b.FinishFlat(b.Add(b.Gemm(9, 9), in, post_ops));
            },
            absl::StrCat("Gemm", NameOf(post_ops))};
  };
  CheckPlans({gemm({relu}, false), gemm({scale, relu}, false), gemm({one}, false), gemm({graph::Add(), relu}, true),
              gemm({relu, scale, graph::Add()}, true)});
}

}  // namespace
}  // namespace resnetd::onednn
