#include "engine/onednn/plan.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace resnetd::onednn {

// FNV-1a over lines of text.
std::string Fingerprint(const Program& program, int kernels_revision) {
  uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&](const std::string& text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    hash = (hash ^ '\n') * 0x100000001b3;
  };
  const dnnl::version_t* version = dnnl::version();
  add(absl::StrCat(version->major, ".", version->minor, ".", version->patch, " ", version->hash));
  add(absl::StrCat("kernels ", kernels_revision));
  add(absl::StrCat(program.info.isa, " ", program.info.threads));
  for (const Plan& plan : program.plans) {
    for (const Step& step : plan.steps) {
      add(absl::StrCat(step.info.op, step.info.post_ops, " ", step.info.shape, " ", step.info.implementation,
                       step.info.one_thread ? " one thread" : ""));
    }
  }
  return absl::StrFormat("%016x", hash);
}

}  // namespace resnetd::onednn
