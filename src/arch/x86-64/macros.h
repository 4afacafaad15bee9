// What the assembly files share: accesses that may fault on a guest's account, and the windows of SMAP.

        .macro ON_FAULT from, to
        .pushsection .fixups, "a"
        .quad \from, \to
        .popsection
        .endm

// One instruction that touches guest memory; a fault goes on at \to.
        .macro GUARDED to, instruction:vararg
770:    \instruction
        ON_FAULT 770b, \to
        .endm

// Three-byte no-ops that the boot code turns into STAC and CLAC when SMAP is on.
        .macro SMAP_SITE section
771:    .byte 0x0f, 0x1f, 0x00
        .pushsection \section, "a"
        .quad 771b
        .popsection
        .endm
#define OPEN_GUEST_MEMORY SMAP_SITE .smap_open
#define CLOSE_GUEST_MEMORY SMAP_SITE .smap_close

        .macro ROUTINE name
        .balign 16
        .globl \name
\name:
        .endm
