// A changed chunk whose checksum is not its own is refused before anything looks at it. Most of the time this one
// corrects the checksums after the fuzzer's changes.
#include <cstddef>
#include <cstdint>

#include <zlib.h>

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

constexpr size_t kSignature = 8, kHeader = 8, kChecksum = 4;

uint32_t Number(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | uint32_t{bytes[3]};
}

void CorrectChecksums(uint8_t* file, size_t size) {
  size_t at = kSignature;
  while (at + kHeader + kChecksum <= size) {
    const size_t length = Number(file + at);
    if (length > size - at - kHeader - kChecksum) return;
    uint8_t* end = file + at + kHeader + length;
    const uint64_t crc = crc32(0, file + at + 4, static_cast<uInt>(4 + length));
    for (int i = 0; i < 4; ++i) end[i] = static_cast<uint8_t>(crc >> (24 - 8 * i));
    at += kHeader + length + kChecksum;
  }
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  const size_t changed = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 != 0) CorrectChecksums(data, changed);
  return changed;
}
