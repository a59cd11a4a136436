# Each file's bytes between two symbols: no tool but the assembler is needed.
  .section .rodata

#define EMBED(name, file)                 \
  .balign 64                             ;\
  .global resnetd_embedded_##name        ;\
resnetd_embedded_##name:                 ;\
  .incbin file                           ;\
  .global resnetd_embedded_##name##_end  ;\
resnetd_embedded_##name##_end:

EMBED(onnx, "model.onnx")
EMBED(labels, "labels.txt")
EMBED(config, "config.textproto")
EMBED(golden, "golden.textproto")

  .section .note.GNU-stack, "", @progbits
