// Copies between the hypervisor and the guest's current address space; a fault ends the copy instead of the hypervisor.
// The callers have checked that the guest range holds nothing of the hypervisor's.
#include "macros.h"

        .text

// bool guest_copy(void* to, void* from, nuint bytes): 1 = all copied, 0 = a fault (some bytes may have been copied).
        .balign 16
        .globl guest_copy
guest_copy:
        OPEN_GUEST_MEMORY
        movq %rdx, %rcx
        shrq $3, %rcx
        jz 2f
1:      movq (%rsi), %rax
10:     movq %rax, (%rdi)
        addq $8, %rsi
        addq $8, %rdi
        decq %rcx
        jnz 1b
2:      andl $7, %edx
        jz 4f
3:      movb (%rsi), %al
30:     movb %al, (%rdi)
        incq %rsi
        incq %rdi
        decl %edx
        jnz 3b
4:      CLOSE_GUEST_MEMORY
        movl $1, %eax
        ret
guest_copy_fault:
        CLOSE_GUEST_MEMORY
        xorl %eax, %eax
        ret
        ON_FAULT 1b, guest_copy_fault
        ON_FAULT 10b, guest_copy_fault
        ON_FAULT 3b, guest_copy_fault
        ON_FAULT 30b, guest_copy_fault

// bool guest_read8/16/24(void* to, void* from): the sizes of nearly all structures that hypercalls name.
        .macro GUEST_READ name, words
        .balign 16
        .globl \name
\name:
        OPEN_GUEST_MEMORY
1:      movq (%rsi), %rax
        .if \words > 1
2:      movq 8(%rsi), %rdx
        ON_FAULT 2b, guest_copy_fault
        .endif
        .if \words > 2
3:      movq 16(%rsi), %rcx
        ON_FAULT 3b, guest_copy_fault
        .endif
        CLOSE_GUEST_MEMORY
        movq %rax, (%rdi)
        .if \words > 1
        movq %rdx, 8(%rdi)
        .endif
        .if \words > 2
        movq %rcx, 16(%rdi)
        .endif
        movl $1, %eax
        ret
        ON_FAULT 1b, guest_copy_fault
        .endm

        GUEST_READ guest_read8, 1
        GUEST_READ guest_read16, 2
        GUEST_READ guest_read24, 3

// bool guest_compare_exchange(void* guest, ulong comparand, ulong value, ulong* seen): 8 bytes, locked; 0 = fault.
        .balign 16
        .globl guest_compare_exchange
guest_compare_exchange:
        movq %rcx, %r8
        movq %rsi, %rax
        OPEN_GUEST_MEMORY
1:      lock cmpxchgq %rdx, (%rdi)
        CLOSE_GUEST_MEMORY
        movq %rax, (%r8)
        movl $1, %eax
        ret
        ON_FAULT 1b, guest_copy_fault

// bool msr_try_read(uint msr, ulong* value), bool msr_try_write(uint msr, ulong value): 0 = #GP.
        .balign 16
        .globl msr_try_read
msr_try_read:
        movl %edi, %ecx
        xorl %eax, %eax
        xorl %edx, %edx
1:      rdmsr
        shlq $32, %rdx
        orq %rdx, %rax
        movq %rax, (%rsi)
        movl $1, %eax
        ret
2:      xorl %eax, %eax
        ret
        ON_FAULT 1b, 2b

        .globl msr_try_write
msr_try_write:
        movl %edi, %ecx
        movl %esi, %eax
        movq %rsi, %rdx
        shrq $32, %rdx
1:      wrmsr
        movl $1, %eax
        ret
        ON_FAULT 1b, 2b

// bool segment_try_load_{ds,es,fs,gs}(ushort selector): 0 = the selector does not load; the register is then null.
        .macro SEGMENT_LOAD name
        .globl segment_try_load_\name
segment_try_load_\name:
1:      movl %edi, %\name
        movl $1, %eax
        ret
2:      xorl %eax, %eax
        movl %eax, %\name
        ret
        ON_FAULT 1b, 2b
        .endm
        SEGMENT_LOAD ds
        SEGMENT_LOAD es
        SEGMENT_LOAD fs
        SEGMENT_LOAD gs

// bool xrstor_try(void* area, ulong mask), bool fxrstor_try(void* area), bool xsetbv_try(ulong value): 0 = #GP.
        .globl xrstor_try
xrstor_try:
        movl %esi, %eax
        movq %rsi, %rdx
        shrq $32, %rdx
1:      xrstor64 (%rdi)
        movl $1, %eax
        ret
2:      xorl %eax, %eax
        ret
        ON_FAULT 1b, 2b

        .globl fxrstor_try
fxrstor_try:
1:      fxrstor64 (%rdi)
        movl $1, %eax
        ret
        ON_FAULT 1b, 2b

        .globl xsetbv_try
xsetbv_try:
        xorl %ecx, %ecx
        movl %edi, %eax
        movq %rdi, %rdx
        shrq $32, %rdx
1:      xsetbv
        movl $1, %eax
        ret
        ON_FAULT 1b, 2b
