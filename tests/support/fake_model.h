#ifndef RESNETD_TESTS_SUPPORT_FAKE_MODEL_H_
#define RESNETD_TESTS_SUPPORT_FAKE_MODEL_H_

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/model.h"
#include "server/scheduling/policy.h"

// A model that the edge's tests serve without an engine behind it: 28x28 grey images, ten classes, an embedding of
// four that may be cut to two, and a feature map.
namespace resnetd::server {

struct FakeOutputs {
  int classes = 10, features = 4;
};

inline ModelInfo FakeInfo(FakeOutputs outputs = {}) {
  ModelInfo info;
  info.height = info.width = 28;
  info.channels = 1;
  const auto add = [&info](const char* name, std::vector<int64_t> dims, int width) {
    info.outputs.push_back({name, std::move(dims), width});
    return static_cast<OutputId>(info.outputs.size() - 1);
  };
  if (outputs.classes > 0) info.logits = add("logits", {outputs.classes}, outputs.classes);
  if (outputs.features > 0) info.embedding = add("pool", {outputs.features}, outputs.features);
  add("map", {2, 3, 3}, 18);
  info.classes = outputs.classes;
  info.features = outputs.features;
  info.batch_sizes = {1, 2, 4, 8};
  info.precision = "f32";
  info.isa = "avx2";
  info.plan_fingerprint = "fake";
  return info;
}

class FakeEngine final : public Engine {
 public:
  explicit FakeEngine(ModelInfo info) : info_(std::move(info)) {}
  const ModelInfo& info() const override { return info_; }
  std::vector<StepInfo> Describe(int) const override { return {}; }
  size_t arena_bytes() const override { return kArenaAlignment; }
  absl::StatusOr<std::unique_ptr<Session>> NewSession(absl::Span<std::byte>) const override {
    return absl::UnimplementedError("a fake computes nothing");
  }

 private:
  const ModelInfo info_;
};

// Spaces "fake/pool", "fake/pool/l2", "fake/pool/2", ...
inline Layer FakeLayer(const OutputInfo& output, OutputId id) {
  Layer layer{output.name, id, {}};
  const std::string space = "fake/" + output.name;
  layer.spaces.push_back({output.width, space, space + "/l2"});
  if (output.name == "pool") layer.spaces.push_back({2, space + "/2", space + "/2/l2"});
  return layer;
}

inline std::shared_ptr<Model> FakeModel(std::string name = "fake", FakeOutputs outputs = {}) {
  auto model = std::make_shared<Model>();
  model->name = std::move(name);
  model->version = "1";
  model->engine = std::make_shared<FakeEngine>(FakeInfo(outputs));
  model->recipe.colour = image::Colour::kGrey;
  model->recipe.height = model->recipe.width = 28;
  model->recipe_id = "custom";
  model->recipe_hash = "0123456789abcdef";
  const ModelInfo& info = model->engine->info();
  if (outputs.classes > 0) {
    Head& head = model->heads.emplace_back();
    head = {"logits", info.logits, outputs.classes, HeadActivation::kSoftmax, {}, {}};
    for (int i = 0; i < outputs.classes; ++i) head.labels.push_back("class " + std::to_string(i));
  }
  for (size_t i = 0; i < info.outputs.size(); ++i) {
    model->layers.push_back(FakeLayer(info.outputs[i], static_cast<OutputId>(i)));
  }
  return model;
}

inline std::vector<scheduling::BatchCost> FakeCosts() {
  std::vector<scheduling::BatchCost> costs;
  for (int batch : {1, 2, 4, 8}) costs.push_back({batch, std::chrono::microseconds(10) * batch});
  return costs;
}

}  // namespace resnetd::server

#endif  // RESNETD_TESTS_SUPPORT_FAKE_MODEL_H_
