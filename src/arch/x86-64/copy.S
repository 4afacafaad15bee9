// Copies between the hypervisor and the guest's current address space, and other instructions that may fault on a guest's account:
// a fault ends the routine instead of the hypervisor. The callers have checked that a guest range holds nothing of the hypervisor's.
#include "macros.h"
        .text

// bool guest_copy(void* to, void* from, nuint bytes): 1 = all copied, 0 = a fault (some bytes may have been copied).
ROUTINE guest_copy
        OPEN_GUEST_MEMORY
        movq %rdx, %rcx
        shrq $3, %rcx
        jz 2f
1:      GUARDED guest_copy_fault, movq (%rsi), %rax
        GUARDED guest_copy_fault, movq %rax, (%rdi)
        addq $8, %rsi
        addq $8, %rdi
        decq %rcx
        jnz 1b
2:      andl $7, %edx
        jz 4f
3:      GUARDED guest_copy_fault, movb (%rsi), %al
        GUARDED guest_copy_fault, movb %al, (%rdi)
        incq %rsi
        incq %rdi
        decl %edx
        jnz 3b
4:      CLOSE_GUEST_MEMORY
succeeded:
        movl $1, %eax
        ret
guest_copy_fault:
        CLOSE_GUEST_MEMORY
failed: xorl %eax, %eax
        ret

// bool guest_read8/16/24(void* to, void* from): the sizes of nearly all structures that hypercalls name.
        .macro GUEST_READ name, words
ROUTINE \name
        OPEN_GUEST_MEMORY
        GUARDED guest_copy_fault, movq (%rsi), %rax
        .if \words > 1
        GUARDED guest_copy_fault, movq 8(%rsi), %rdx
        .endif
        .if \words > 2
        GUARDED guest_copy_fault, movq 16(%rsi), %rcx
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
        .endm
        GUEST_READ guest_read8, 1
        GUEST_READ guest_read16, 2
        GUEST_READ guest_read24, 3

// bool guest_compare_exchange(void* guest, ulong comparand, ulong value, ulong* seen): 8 bytes, locked; 0 = fault.
ROUTINE guest_compare_exchange
        movq %rcx, %r8
        movq %rsi, %rax
        OPEN_GUEST_MEMORY
        GUARDED guest_copy_fault, lock cmpxchgq %rdx, (%rdi)
        CLOSE_GUEST_MEMORY
        movq %rax, (%r8)
        jmp succeeded

// bool msr_try_read(uint msr, ulong* value), bool msr_try_write(uint msr, ulong value): 0 = #GP.
ROUTINE msr_try_read
        movl %edi, %ecx
        GUARDED failed, rdmsr
        shlq $32, %rdx
        orq %rdx, %rax
        movq %rax, (%rsi)
        jmp succeeded
ROUTINE msr_try_write
        movl %edi, %ecx
        movl %esi, %eax
        movq %rsi, %rdx
        shrq $32, %rdx
        GUARDED failed, wrmsr
        jmp succeeded

// bool segment_try_load_{ds,es,fs,gs}(ushort selector): 0 = the selector does not load; the register is then null.
        .macro SEGMENT_LOAD name
ROUTINE segment_try_load_\name
        GUARDED 1f, movl %edi, %\name
        jmp succeeded
1:      xorl %eax, %eax
        movl %eax, %\name
        ret
        .endm
        SEGMENT_LOAD ds
        SEGMENT_LOAD es
        SEGMENT_LOAD fs
        SEGMENT_LOAD gs

// bool xrstor_try(void* area, ulong mask), bool fxrstor_try(void* area), bool xsetbv_try(ulong value): 0 = #GP.
ROUTINE xrstor_try
        movl %esi, %eax
        movq %rsi, %rdx
        shrq $32, %rdx
        GUARDED failed, xrstor64 (%rdi)
        jmp succeeded
ROUTINE fxrstor_try
        GUARDED failed, fxrstor64 (%rdi)
        jmp succeeded
ROUTINE xsetbv_try
        xorl %ecx, %ecx
        movl %edi, %eax
        movq %rdi, %rdx
        shrq $32, %rdx
        GUARDED failed, xsetbv
        jmp succeeded
