#ifndef RESNETD_BASE_SHA256_H_
#define RESNETD_BASE_SHA256_H_

#include <openssl/evp.h>

#include <cstddef>
#include <memory>
#include <string>

#include "absl/types/span.h"

namespace resnetd {

// The hash of bytes that come in parts. One thread.
class Sha256 {
 public:
  Sha256();
  void Add(absl::Span<const std::byte> bytes);
  std::string Hex();  // 64 digits; once

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace resnetd

#endif  // RESNETD_BASE_SHA256_H_
