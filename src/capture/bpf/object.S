/* SPDX-License-Identifier: MIT
 * object.S - what clang made of switches.bpf.c, as bytes of the library. */
        .section .rodata,"a"
        .balign 8
        .globl tac_bpf_object_begin, tac_bpf_object_end
        .hidden tac_bpf_object_begin, tac_bpf_object_end
tac_bpf_object_begin:
        .incbin TAC_BPF_OBJECT
tac_bpf_object_end:
        .section .note.GNU-stack,"",%progbits
