#ifndef RESNETD_ENGINE_ONEDNN_FINGERPRINT_H_
#define RESNETD_ENGINE_ONEDNN_FINGERPRINT_H_

#include <string>

#include "engine/kernels/revision.h"
#include "engine/onednn/plan.h"

namespace resnetd::onednn {

// 16 hex digits of all that decides how answers are computed: the library, our kernels, the instruction set, threads,
// and each step. The weights are not in it.
std::string Fingerprint(const Program& program, int kernels_revision = kernels::kRevision);

}  // namespace resnetd::onednn

#endif  // RESNETD_ENGINE_ONEDNN_FINGERPRINT_H_
