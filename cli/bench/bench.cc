// resnetctl bench: from options to a Load, and from its ledger to a report.
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "cli/bench/load.h"
#include "cli/call/client.h"
#include "cli/command.h"
#include "cli/error.h"
#include "cli/inputs.h"
#include "cli/print/json.h"
#include "grpcpp/support/proto_buffer_reader.h"
#include "grpcpp/support/proto_buffer_writer.h"
#include "resnetd/v1/inference.grpc.pb.h"

namespace resnetd::cli {
namespace {

struct Options {
  std::string method = "classify";
  std::string model;
  std::vector<std::string> images;
  std::string tensor = "u8";
  int inputs = 64;
  int images_per_request = 1;
  double rate = 100;
  std::string arrivals = "poisson";
  int concurrency = 0;
  double warmup_seconds = 2;
  double duration_seconds = 10;
  int channels = 4;
  uint64_t seed = 1;
};

template <typename Message>
grpc::ByteBuffer Serialise(const Message& message) {
  grpc::ByteBuffer buffer;
  bool own = false;
  // Fails only above 2 GB, which no message of ours reaches.
  (void)grpc::SerializationTraits<Message>::Serialize(message, &buffer, &own);
  return buffer;
}

template <typename Request>
std::vector<grpc::ByteBuffer> MakeRequests(const Options& options, const std::vector<v1::Image>& images) {
  const size_t per_request = options.images_per_request;
  std::vector<grpc::ByteBuffer> requests;
  for (size_t first = 0; first < images.size(); first += per_request) {
    Request request;
    request.set_model(options.model);
    for (size_t i = first; i < first + per_request; ++i) *request.add_images() = images[i % images.size()];
    requests.push_back(Serialise(request));
  }
  return requests;
}

template <typename Response>
bool ReadAnswer(grpc::ByteBuffer& answer, CallRecord& call) {
  Response response;
  if (!grpc::SerializationTraits<Response>::Deserialize(&answer, &response).ok()) return false;
  for (const auto& result : response.results()) {
    if (result.status().code() != 0) {
      ++call.images_failed;
      continue;
    }
    ++call.images_ok;
    const v1::Execution& e = result.execution();
    if (e.batch_size() > 0) {
      call.inverse_batch_sizes += 1.0 / e.batch_size();
      call.batch_sizes += e.batch_size();
    }
    call.queue_seconds += e.queue_seconds();
    call.decode_seconds += e.decode_seconds();
    call.infer_seconds += e.infer_seconds();
    call.total_seconds += e.total_seconds();
  }
  return true;
}

struct Method {
  const char* option;
  const char* rpc;
  std::vector<grpc::ByteBuffer> (*make_requests)(const Options&, const std::vector<v1::Image>&);
  bool (*read_answer)(grpc::ByteBuffer&, CallRecord&);
};

constexpr Method kMethods[] = {
    {"classify", "Classify", MakeRequests<v1::ClassifyRequest>, ReadAnswer<v1::ClassifyResponse>},
    {"embed", "Embed", MakeRequests<v1::EmbedRequest>, ReadAnswer<v1::EmbedResponse>},
    {"predict", "Predict", MakeRequests<v1::PredictRequest>, ReadAnswer<v1::PredictResponse>},
};

// Noise of the model's input size: uniform bytes, or normally distributed values.
v1::Image RandomTensor(const v1::ModelInput& input, bool u8, std::mt19937_64& random) {
  v1::Image image;
  v1::Tensor& tensor = *image.mutable_tensor();
  const int h = input.height(), w = input.width(), c = input.channels();
  tensor.set_type(u8 ? v1::Tensor::UINT8 : v1::Tensor::FLOAT32);
  for (const int dim : u8 ? std::vector<int>{h, w, c} : std::vector<int>{c, h, w}) tensor.add_shape(dim);
  const size_t count = static_cast<size_t>(h) * w * c;
  std::string& data = *tensor.mutable_data();
  if (u8) {
    data.resize(count);
    for (char& byte : data) byte = static_cast<char>(random());
  } else {
    std::normal_distribution<float> normal;
    std::vector<float> values(count);
    for (float& value : values) value = normal(random);
    data.assign(reinterpret_cast<const char*>(values.data()), count * sizeof(float));
  }
  return image;
}

absl::StatusOr<std::vector<v1::Image>> MakeImages(const Options& options, const v1::ModelInput& input) {
  std::vector<v1::Image> images;
  if (options.images.empty()) {
    std::mt19937_64 random(options.seed);
    for (int i = 0; i < options.inputs; ++i) images.push_back(RandomTensor(input, options.tensor == "u8", random));
    return images;
  }
  RESNETD_ASSIGN_OR_RETURN(const std::vector<std::string> files, ExpandInputs(options.images));
  for (const std::string& file : files) {
    RESNETD_ASSIGN_OR_RETURN(std::string bytes, ReadImageFile(file));
    images.emplace_back().set_encoded(std::move(bytes));
  }
  return images;
}

nlohmann::ordered_json Settings(const Options& options) {
  nlohmann::ordered_json json = {{"method", options.method},
                                 {"input", options.images.empty() ? options.tensor + " tensors" : "image files"},
                                 {"images_per_request", options.images_per_request},
                                 {"channels", options.channels},
                                 {"warmup_seconds", options.warmup_seconds},
                                 {"duration_seconds", options.duration_seconds}};
  if (options.concurrency > 0) {
    json["closed_loop_clients"] = options.concurrency;
  } else {
    json["arrivals"] = options.arrivals;
    json["offered_images_per_second"] = options.rate;
  }
  return json;
}

void PrintReport(const Context& context, const nlohmann::ordered_json& r) {
  const bool closed = r.contains("closed_loop_clients");
  std::ostream& out = *context.out;
  const auto ms = [](const nlohmann::ordered_json& values) {
    std::vector<std::string> parts;
    for (const auto& [key, value] : values.items()) {
      parts.push_back(absl::StrFormat("%s %.3f", key, value.get<double>() * 1e3));
    }
    return absl::StrJoin(parts, "  ");
  };
  const std::string loop = closed ? absl::StrCat("closed loop, ", r["closed_loop_clients"].get<int>(), " clients")
                                  : absl::StrCat("open loop, ", r["arrivals"].get<std::string>(), " arrivals");
  out << r["method"].get<std::string>() << ", " << loop << ", " << r["input"].get<std::string>() << ", "
      << r["images_per_request"] << " a request, " << r["duration_seconds"] << " s after " << r["warmup_seconds"]
      << " s of warm-up\n";
  out << absl::StrFormat("images/s    %.1f", r["achieved_images_per_second"].get<double>());
  if (!closed) out << absl::StrFormat(" of %.1f offered", r["offered_images_per_second"].get<double>());
  std::vector<std::string> codes;
  for (const auto& [code, count] : r["calls"].items()) codes.push_back(absl::StrCat(code, " ", count.get<int64_t>()));
  out << "\ncalls       " << absl::StrJoin(codes, "  ") << "\nimages      ok " << r["images"]["ok"] << "  failed "
      << r["images"]["failed"] << '\n';
  if (r.contains("latency_seconds")) {
    out << "latency ms  " << ms(r["latency_seconds"]) << (closed ? "\n" : "  (from when a call was due)\n");
  }
  if (r.contains("batch_size")) {
    out << "server ms   " << ms(r["server_mean_seconds"]) << "  (means)\n"
        << absl::StrFormat("batch       %.2f images in the mean\n", r["batch_size"]["mean"].get<double>());
  }
  out << absl::StrFormat("client      %.2f s of CPU, %.3f of a core", r["client_cpu_seconds"].get<double>(),
                         r["client_cpu_seconds"].get<double>() / r["duration_seconds"].get<double>());
  if (!closed && r.contains("send_delay_seconds")) out << "; sent late by ms: " << ms(r["send_delay_seconds"]);
  out << '\n';
}

int Bench(const Context& context, const Options& options) {
  const Method* method = kMethods;
  while (method->option != options.method) ++method;  // the parser let only ours through

  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < options.channels; ++i) channels.push_back(Connect(context));
  v1::GetModelResponse model;
  v1::GetModelRequest get_model;
  get_model.set_model(options.model);
  for (const auto& channel : channels) {
    // Connects the channel, too.
    grpc::ClientContext call;
    SetDeadline(call, context.timeout_seconds);
    const grpc::Status status = v1::InferenceService::NewStub(channel)->GetModel(&call, get_model, &model);
    if (status.ok()) continue;
    *context.err << ExplainCall(context, ErrorFrom(status)) << '\n';
    return kFailed;
  }
  const absl::StatusOr<std::vector<v1::Image>> images = MakeImages(options, model.input());
  if (!images.ok()) {
    *context.err << Explain(ErrorFrom(images.status())) << '\n';
    return kUsage;
  }

  Load load;
  load.method = absl::StrCat("/resnetd.v1.InferenceService/", method->rpc);
  load.requests = method->make_requests(options, *images);
  load.images_per_request = options.images_per_request;
  load.read_answer = method->read_answer;
  load.concurrency = options.concurrency;
  load.calls_per_second = options.rate / options.images_per_request;
  load.arrivals = options.arrivals == "poisson" ? ArrivalKind::kPoisson : ArrivalKind::kConstant;
  load.seed = options.seed;
  load.warmup_seconds = options.warmup_seconds;
  load.duration_seconds = options.duration_seconds;
  load.timeout_seconds = context.timeout_seconds;

  nlohmann::ordered_json report = Settings(options);
  {
    Progress progress(*context.err, context.err_is_terminal, load.warmup_seconds + load.duration_seconds, "s");
    const LoadResult result = RunLoad(load, channels, progress);
    report.update(result.ledger.ToJson());
    report["client_cpu_seconds"] = result.client_cpu_seconds;
    report["preflight_calls"] = {{"GetModel", options.channels}};
  }
  if (context.json) {
    *context.out << Dump(report) << '\n';
  } else {
    PrintReport(context, report);
  }
  if (report["calls"].contains("OK")) return kOk;
  *context.err << "no call that was due in the measured time was answered OK; all that were: " << report["calls"].dump()
               << '\n';
  return kFailed;
}

}  // namespace

Command AddBench(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  app.add_option("--method", o->method, "Which RPC")
      ->capture_default_str()
      ->check(CLI::IsMember({"classify", "embed", "predict"}));
  app.add_option("--model", o->model, "Model; needed if the server holds several");
  auto* image = app.add_option("--image", o->images, "Send these JPEG, PNG or WebP files, or folders of them, in turn");
  app.add_option("--tensor", o->tensor, "Send random tensors of the model's size: u8 or f32")
      ->capture_default_str()
      ->check(CLI::IsMember({"u8", "f32"}))
      ->excludes(image);
  app.add_option("--inputs", o->inputs, "How many different tensors")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000));
  app.add_option("--images-per-request", o->images_per_request, "Images of one call")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  auto* rate = app.add_option("--rate", o->rate, "Open loop: images a second, sent whatever the server does")
                   ->capture_default_str()
                   ->check(CLI::Range(1e-3, 1e7));
  app.add_option("--arrivals", o->arrivals, "Open loop: poisson or constant gaps")
      ->capture_default_str()
      ->check(CLI::IsMember({"poisson", "constant"}));
  app.add_option("--concurrency", o->concurrency, "Closed loop instead: so many calls are always under way")
      ->check(CLI::Range(1, 100000))
      ->excludes(rate);
  app.add_option("--warmup", o->warmup_seconds, "Seconds before the measurement")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 86400.0));
  app.add_option("--duration", o->duration_seconds, "Seconds to measure")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 86400.0));
  app.add_option("--channels", o->channels, "Connections")->capture_default_str()->check(CLI::Range(1, 256));
  app.add_option("--seed", o->seed, "Of the random tensors and arrivals")->capture_default_str();
  return [o](const Context& context) { return Bench(context, *o); };
}

}  // namespace resnetd::cli
