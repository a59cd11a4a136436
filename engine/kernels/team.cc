#include "engine/kernels/team.h"

namespace resnetd::kernels {

void Team::Barrier() const {
  if (threads == 1) return;  // perhaps of another team
#pragma omp barrier
}

}  // namespace resnetd::kernels
