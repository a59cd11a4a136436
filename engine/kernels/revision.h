#ifndef RESNETD_ENGINE_KERNELS_REVISION_H_
#define RESNETD_ENGINE_KERNELS_REVISION_H_

namespace resnetd::kernels {

// The revision of all kernels in this folder goes up with every change after which one may round otherwise:
// fingerprints of plans hold it, and equal ones promise equal answers.
constexpr int kRevision = 2;

}  // namespace resnetd::kernels

#endif  // RESNETD_ENGINE_KERNELS_REVISION_H_
