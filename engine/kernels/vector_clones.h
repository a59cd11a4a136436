#ifndef RESNETD_ENGINE_KERNELS_VECTOR_CLONES_H_
#define RESNETD_ENGINE_KERNELS_VECTOR_CLONES_H_

// A function with this attribute is compiled for AVX2 and AVX-512 too, and chosen when the program starts.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define RESNETD_VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define RESNETD_VECTOR_CLONES
#endif

#endif  // RESNETD_ENGINE_KERNELS_VECTOR_CLONES_H_
