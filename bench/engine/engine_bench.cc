// Measures how many images a second the bare engine computes, without a server around it. Prints JSON lines: first what
// was loaded, then one a round.
//
//   engine_bench --model resnet50.onnx --batch 1,8 --threads 2
//   engine_bench --model resnet50.onnx --batch 1,8 --workers 2 --driven
//
// The speed of a machine wanders by more than two programs differ. So a script that compares programs keeps all of them
// running and asks each for a short round in turn: --driven runs one for every batch size it reads. Between rounds it
// sleeps in a read, and takes nothing from the others.
#include <sys/resource.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/types/span.h"
#include "engine/engine.h"
#include "nlohmann/json.hpp"

namespace resnetd {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

struct Options {
  std::string model;
  std::vector<int> batch_sizes = {1, 8};
  int threads = 1;
  int workers = 1;
  std::string input;
  double seconds = 1;
  int rounds = 5;
  bool driven = false;
};

// A session's arena is made of such lines, for their alignment.
struct alignas(kArenaAlignment) ArenaLine {
  std::byte bytes[kArenaAlignment];
};

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

// Float32 images, NCHW, as many as the file holds; normally distributed noise where there is no file.
std::vector<float> ReadImages(const std::string& path, size_t image_size, size_t noise_images) {
  if (path.empty()) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    std::vector<float> noise(image_size * noise_images);
    for (float& value : noise) value = normal(random);
    return noise;
  }
  const std::string bytes = ReadFile(path);
  if (bytes.empty() || bytes.size() % (image_size * sizeof(float)) != 0) {
    throw std::runtime_error(path + ": expected a multiple of " + std::to_string(image_size * sizeof(float)) +
                             " bytes, got " + std::to_string(bytes.size()));
  }
  std::vector<float> images(bytes.size() / sizeof(float));
  std::memcpy(images.data(), bytes.data(), bytes.size());
  return images;
}

// One image, NCHW, to wherever the slot has it.
void Fill(const float* image, const SlotView& slot) {
  for (int c = 0; c < slot.channels; ++c) {
    for (int y = 0; y < slot.height; ++y, image += slot.width) {
      std::byte* row = slot.data + c * slot.channel_bytes + y * slot.row_bytes;
      if (slot.pixel_bytes == sizeof(float)) {
        std::memcpy(row, image, sizeof(float) * slot.width);
        continue;
      }
      for (int x = 0; x < slot.width; ++x) std::memcpy(row + x * slot.pixel_bytes, image + x, sizeof(float));
    }
  }
}

class Worker {
 public:
  Worker(const Engine& engine, const std::vector<float>& images)
      : images_(images),
        image_size_(static_cast<size_t>(engine.info().channels) * engine.info().height * engine.info().width),
        arena_((engine.arena_bytes() + kArenaAlignment - 1) / kArenaAlignment) {
    auto session = engine.NewSession({reinterpret_cast<std::byte*>(arena_.data()), arena_.size() * sizeof(ArenaLine)});
    if (!session.ok()) throw std::runtime_error(std::string(session.status().message()));
    session_ = *std::move(session);
    const OutputId answer = engine.info().logits != kNoOutput ? engine.info().logits : engine.info().embedding;
    wanted_.set(static_cast<size_t>(answer));
  }

  // A batch from its images to what the file's first output holds. The images are copied each time, as a server would:
  // a run uses their memory for what it computes later.
  void RunBatch(int batch) {
    for (int i = 0; i < batch; ++i) {
      Fill(images_.data() + (i * image_size_) % images_.size(), session_->slot(i));
    }
    const auto run = session_->Run({.count = batch, .wanted = wanted_});
    if (!run.ok()) throw std::runtime_error(std::string(run.status().message()));
  }

  // Images a second of as many batches as `seconds` need.
  double Measure(int batch, double seconds) {
    const Clock::time_point start = Clock::now();
    int64_t images = 0;
    double took = 0;
    while (took < seconds) {
      RunBatch(batch);
      images += batch;
      took = std::chrono::duration<double>(Clock::now() - start).count();
    }
    return static_cast<double>(images) / took;
  }

  const Session& session() const { return *session_; }

 private:
  const std::vector<float>& images_;
  const size_t image_size_;
  std::vector<ArenaLine> arena_;
  std::unique_ptr<Session> session_;
  OutputSet wanted_;
};

class Bench {
 public:
  explicit Bench(const Options& options) : options_(options) {
    const std::string onnx = ReadFile(options.model);
    auto engine = Engine::Load({onnx, options.model}, {.batch_sizes = options.batch_sizes, .threads = options.threads});
    if (!engine.ok()) throw std::runtime_error(std::string(engine.status().message()));
    engine_ = *std::move(engine);
    const ModelInfo& info = engine_->info();
    images_ = ReadImages(options.input, static_cast<size_t>(info.channels) * info.height * info.width,
                         options.batch_sizes.back());
    for (int i = 0; i < options.workers; ++i) workers_.push_back(std::make_unique<Worker>(*engine_, images_));
  }

  // Describes the loaded model; with --input also gives its answers, so that a script can see that its peer computes
  // the same.
  Json Describe() {
    const ModelInfo& info = engine_->info();
    Json json = {{"model", options_.model},
                 {"threads", options_.threads},
                 {"workers", options_.workers},
                 {"isa", info.isa},
                 {"plan_fingerprint", info.plan_fingerprint},
                 {"multiply_adds", info.multiply_adds},
                 {"packed_weight_bytes", info.packed_weight_bytes},
                 {"arena_bytes", engine_->arena_bytes()}};
    if (options_.input.empty()) return json;
    for (const int batch : options_.batch_sizes) {
      workers_[0]->RunBatch(batch);
      for (int i = 0; i < batch; ++i) {
        json["logits"][std::to_string(batch)].push_back(workers_[0]->session().output(info.logits, i));
      }
    }
    return json;
  }

  // All workers at once, each on a thread of its own.
  Json Round(int batch) {
    std::vector<double> rates(workers_.size());
    std::vector<std::thread> threads;
    const double cpu = CpuSeconds();
    const Clock::time_point start = Clock::now();
    for (size_t i = 1; i < workers_.size(); ++i) {
      threads.emplace_back([&, i] { rates[i] = workers_[i]->Measure(batch, options_.seconds); });
    }
    rates[0] = workers_[0]->Measure(batch, options_.seconds);
    for (std::thread& thread : threads) thread.join();
    const double took = std::chrono::duration<double>(Clock::now() - start).count();
    double rate = 0;
    for (const double r : rates) rate += r;
    return {{"batch", batch}, {"images_per_second", rate}, {"seconds", took}, {"cpu_seconds", CpuSeconds() - cpu}};
  }

 private:
  const Options options_;
  std::shared_ptr<const Engine> engine_;
  std::vector<float> images_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

void Run(const Options& options) {
  Bench bench(options);
  std::cout << bench.Describe().dump() << std::endl;
  if (options.driven) {
    for (int batch = 0; std::cin >> batch;) std::cout << bench.Round(batch).dump() << std::endl;
    return;
  }
  for (int round = 0; round < options.rounds; ++round) {
    for (const int batch : options.batch_sizes) std::cout << bench.Round(batch).dump() << std::endl;
  }
}

}  // namespace
}  // namespace resnetd

int main(int argc, char** argv) {
  resnetd::Options options;
  CLI::App app{"Measures the bare engine", "engine_bench"};
  app.add_option("--model", options.model, "ONNX file")->required();
  app.add_option("--batch", options.batch_sizes, "Batch sizes, ascending")->delimiter(',')->default_str("1,8");
  app.add_option("--threads", options.threads, "Of one run")->capture_default_str();
  app.add_option("--workers", options.workers, "Runs at once")->capture_default_str()->check(CLI::Range(1, 256));
  app.add_option("--input", options.input, "Raw float32 images, NCHW; the answers are printed too. Default: noise");
  app.add_option("--seconds", options.seconds, "Least time of a round")->capture_default_str();
  auto* rounds = app.add_option("--rounds", options.rounds, "Of each batch size")->capture_default_str();
  app.add_flag("--driven", options.driven, "A round for each batch size on standard input")->excludes(rounds);
  CLI11_PARSE(app, argc, argv);
  try {
    resnetd::Run(options);
  } catch (const std::exception& error) {
    std::cerr << "engine_bench: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
