#ifndef RESNETD_ENGINE_KERNELS_AVX512_H_
#define RESNETD_ENGINE_KERNELS_AVX512_H_

// Marks each function that works with vectors of 16 floats, since the program is compiled for any x86-64.
#define RESNETD_AVX512 __attribute__((target("avx512f")))

#endif  // RESNETD_ENGINE_KERNELS_AVX512_H_
