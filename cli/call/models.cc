// resnetctl models: the list, one model's details, or all details as JSON.
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/call/client.h"
#include "cli/command.h"
#include "cli/error.h"
#include "cli/print/json.h"
#include "cli/print/table.h"
#include "resnetd/v1/inference.grpc.pb.h"

namespace resnetd::cli {
namespace {

using Stub = v1::InferenceService::Stub;

int Fail(const Context& context, const grpc::Status& status) {
  *context.err << ExplainCall(context, ErrorFrom(status)) << '\n';
  return kFailed;
}

grpc::Status Get(const Context& context, Stub& stub, const std::string& name, const std::string& version,
                 v1::GetModelResponse& model) {
  grpc::ClientContext call;
  SetDeadline(call, context.timeout_seconds);
  v1::GetModelRequest request;
  request.set_model(name);
  request.set_model_version(version);
  return stub.GetModel(&call, request, &model);
}

std::vector<std::string> TensorTypes(const v1::ModelInput& input) {
  std::vector<std::string> types;
  for (const int type : input.tensor_types())
    types.push_back(v1::Tensor::Type_Name(static_cast<v1::Tensor::Type>(type)));
  return types;
}

nlohmann::ordered_json ToJson(const v1::Head& head) {
  return {{"name", head.name()},
          {"classes", head.classes()},
          {"activation", v1::Head::Activation_Name(head.activation())},
          {"labels", std::vector<std::string>(head.labels().begin(), head.labels().end())},
          {"thresholds", std::vector<float>(head.thresholds().begin(), head.thresholds().end())},
          {"evidence", head.evidence()},
          {"aliases", std::vector<std::string>(head.aliases().begin(), head.aliases().end())}};
}

nlohmann::ordered_json ToJson(const v1::Layer& layer) {
  nlohmann::ordered_json json = {{"name", layer.name()},
                                 {"shape", std::vector<int>(layer.shape().begin(), layer.shape().end())},
                                 {"aliases", std::vector<std::string>(layer.aliases().begin(), layer.aliases().end())},
                                 {"spaces", nlohmann::ordered_json::array()}};
  for (const v1::EmbeddingSpace& space : layer.spaces()) {
    json["spaces"].push_back(
        {{"id", space.id()}, {"dimensions", space.dimensions()}, {"l2_normalized", space.l2_normalized()}});
  }
  return json;
}

template <typename Message>
nlohmann::ordered_json ToJson(const google::protobuf::RepeatedPtrField<Message>& messages) {
  auto json = nlohmann::ordered_json::array();
  for (const Message& message : messages) json.push_back(ToJson(message));
  return json;
}

nlohmann::ordered_json ToJson(const v1::GetModelResponse& m) {
  return {{"name", m.name()},
          {"version", m.version()},
          {"description", m.description()},
          {"input",
           {{"height", m.input().height()},
            {"width", m.input().width()},
            {"channels", m.input().channels()},
            {"tensor_types", TensorTypes(m.input())},
            {"resizes_pixels", m.input().resizes_pixels()},
            {"image_formats",
             std::vector<std::string>(m.input().image_formats().begin(), m.input().image_formats().end())}}},
          {"recipe", m.recipe()},
          {"recipe_id", m.recipe_id()},
          {"recipe_hash", m.recipe_hash()},
          {"classes", m.classes()},
          {"labels", std::vector<std::string>(m.labels().begin(), m.labels().end())},
          {"embedding_size", m.embedding_size()},
          {"precision", m.precision()},
          {"cpu_isa", m.cpu_isa()},
          {"weights_sha256", m.weights_sha256()},
          {"plan_fingerprint", m.plan_fingerprint()},
          {"batch_sizes", std::vector<int>(m.batch_sizes().begin(), m.batch_sizes().end())},
          {"parameters", m.parameters()},
          {"multiply_adds", m.multiply_adds()},
          {"packed_weight_bytes", m.packed_weight_bytes()},
          {"heads", ToJson(m.heads())},
          {"no_classifier", m.no_classifier()},
          {"layers", ToJson(m.layers())}};
}

// "logits", or "logits (the file's fc, prob)"
template <typename Named>
std::string NamesOf(const Named& one) {
  return absl::StrCat(
      one.name(), one.aliases().empty() ? "" : absl::StrCat(" (the file's ", absl::StrJoin(one.aliases(), ", "), ")"));
}

// "logits: 10 classes, softmax"
std::string ToLine(const v1::Head& head) {
  return absl::StrCat(NamesOf(head), ": ", head.classes(), head.classes() == 1 ? " class" : " classes",
                      head.labels().empty() ? ", no labels" : "", ", ",
                      absl::AsciiStrToLower(v1::Head::Activation_Name(head.activation())),
                      head.thresholds().empty() ? "" : " with thresholds",
                      head.evidence().empty() ? "" : absl::StrCat(", by ", head.evidence()));
}

// "pool: 64; space d7c8..., of length 1 90ab..."
std::string ToLine(const v1::Layer& layer) {
  std::string line = absl::StrCat(NamesOf(layer), ": ", absl::StrJoin(layer.shape(), " x "));
  for (const v1::EmbeddingSpace& space : layer.spaces()) {
    const bool whole = space.dimensions() == layer.spaces(0).dimensions();
    absl::StrAppend(&line, "; ", space.l2_normalized() ? "of length 1" : "space", " ", space.id(),
                    whole ? "" : absl::StrCat(" of the first ", space.dimensions()));
  }
  return line;
}

void PrintDetails(const Context& context, const v1::GetModelResponse& m) {
  const v1::ModelInput& input = m.input();
  Table table({"model", m.name()});
  table.AddRow({"version", m.version()});
  table.AddRow({"description", m.description()});
  table.AddRow({"input", absl::StrCat(input.height(), " x ", input.width(), " x ", input.channels(), "; ",
                                      absl::StrJoin(TensorTypes(input), ", "), "; ",
                                      absl::StrJoin(input.image_formats(), ", "))});
  table.AddRow({"recipe", absl::StrCat(m.recipe_id(), " (", m.recipe_hash(), "): ", m.recipe())});
  table.AddRow({"classes", absl::StrCat(m.classes(), m.labels().empty() ? ", no labels" : "")});
  table.AddRow({"embedding", absl::StrCat(m.embedding_size(), " values")});
  table.AddRow({"computes in", absl::StrCat(m.precision(), " on ", m.cpu_isa())});
  table.AddRow({"batch sizes", absl::StrJoin(m.batch_sizes(), ", ")});
  table.AddRow({"parameters", absl::StrCat(m.parameters())});
  table.AddRow({"multiply-adds", absl::StrCat(m.multiply_adds(), " an image")});
  table.AddRow({"packed weights", absl::StrCat(m.packed_weight_bytes(), " bytes")});
  table.AddRow({"weights' SHA-256", m.weights_sha256()});
  table.AddRow({"plan", m.plan_fingerprint()});
  if (!m.no_classifier().empty()) table.AddRow({"no classifier", m.no_classifier()});
  for (const v1::Head& head : m.heads()) table.AddRow({"head", ToLine(head)});
  for (const v1::Layer& layer : m.layers()) table.AddRow({"layer", ToLine(layer)});
  table.Print(*context.out);
}

int ShowOne(const Context& context, Stub& stub, const std::string& name) {
  v1::GetModelResponse model;
  if (const grpc::Status status = Get(context, stub, name, "", model); !status.ok()) return Fail(context, status);
  if (context.json) {
    *context.out << Dump(ToJson(model)) << '\n';
  } else {
    PrintDetails(context, model);
  }
  return kOk;
}

int ShowAll(const Context& context, Stub& stub) {
  grpc::ClientContext call;
  SetDeadline(call, context.timeout_seconds);
  v1::ListModelsResponse list;
  if (const grpc::Status status = stub.ListModels(&call, {}, &list); !status.ok()) return Fail(context, status);

  auto json = nlohmann::ordered_json::array();
  Table table({"model", "version", "state", "error"});
  for (const v1::ModelSummary& summary : list.models()) {
    const std::string state = v1::ModelSummary::State_Name(summary.state());
    table.AddRow({summary.name(), summary.version(), state, summary.error()});
    nlohmann::ordered_json entry = {{"name", summary.name()}, {"version", summary.version()}, {"state", state}};
    if (!summary.error().empty()) entry["error"] = summary.error();
    if (context.json && summary.state() == v1::ModelSummary::READY) {
      v1::GetModelResponse model;
      const grpc::Status status = Get(context, stub, summary.name(), summary.version(), model);
      if (!status.ok()) return Fail(context, status);
      entry.update(ToJson(model));
    }
    json.push_back(std::move(entry));
  }
  if (context.json) {
    *context.out << Dump(json) << '\n';
  } else {
    table.Print(*context.out);
  }
  return kOk;
}

}  // namespace

Command AddModels(CLI::App& app) {
  const auto name = std::make_shared<std::string>();
  app.add_option("model", *name, "Show this model's details");
  return [name](const Context& context) {
    const auto stub = v1::InferenceService::NewStub(Connect(context));
    return name->empty() ? ShowAll(context, *stub) : ShowOne(context, *stub, *name);
  };
}

}  // namespace resnetd::cli
