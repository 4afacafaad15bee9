// Instructions that C# cannot express: one small routine each, System V calling convention.
#include "offsets.h"
#include "macros.h"
        .text

ROUTINE cpu_rdtsc
        rdtsc
        shlq $32, %rdx
        orq %rdx, %rax
        ret

// void cpu_cpuid(uint leaf, uint subleaf, uint* result)
ROUTINE cpu_cpuid
        pushq %rbx
        movq %rdx, %r8
        movl %edi, %eax
        movl %esi, %ecx
        cpuid
        movl %eax, 0(%r8)
        movl %ebx, 4(%r8)
        movl %ecx, 8(%r8)
        movl %edx, 12(%r8)
        popq %rbx
        ret

ROUTINE cpu_read_msr
        movl %edi, %ecx
        rdmsr
        shlq $32, %rdx
        orq %rdx, %rax
        ret

ROUTINE cpu_write_msr
        movl %edi, %ecx
        movl %esi, %eax
        movq %rsi, %rdx
        shrq $32, %rdx
        wrmsr
        ret

        .macro CONTROL_REGISTER name
ROUTINE cpu_read_\name
        movq %\name, %rax
        ret
ROUTINE cpu_write_\name
        movq %rdi, %\name
        ret
        .endm
        CONTROL_REGISTER cr0
        CONTROL_REGISTER cr2
        CONTROL_REGISTER cr3
        CONTROL_REGISTER cr4
        CONTROL_REGISTER dr0
        CONTROL_REGISTER dr1
        CONTROL_REGISTER dr2
        CONTROL_REGISTER dr3
        CONTROL_REGISTER dr6
        CONTROL_REGISTER dr7

ROUTINE cpu_clts
        clts
        ret

ROUTINE cpu_invlpg
        invlpg (%rdi)
        ret

ROUTINE cpu_wbinvd
        wbinvd
        ret

// Interrupts are taken only here: between STI and the return.
ROUTINE cpu_idle
        sti
        hlt
        cli
        ret

ROUTINE cpu_halt_forever
        cli
1:      hlt
        jmp 1b

        .macro PORT_ACCESS bits, in, out
ROUTINE cpu_in\bits
        movl %edi, %edx
        xorl %eax, %eax
        \in
        ret
ROUTINE cpu_out\bits
        movl %edi, %edx
        movl %esi, %eax
        \out
        ret
        .endm
        PORT_ACCESS 8, "inb %dx, %al", "outb %al, %dx"
        PORT_ACCESS 16, "inw %dx, %ax", "outw %ax, %dx"
        PORT_ACCESS 32, "inl %dx, %eax", "outl %eax, %dx"

// void cpu_load_gdt(ushort limit, ulong base): loads GDTR only.
ROUTINE cpu_load_gdt
        subq $24, %rsp
        movw %di, 6(%rsp)
        movq %rsi, 8(%rsp)
        lgdt 6(%rsp)
        addq $24, %rsp
        ret

// Loads the hypervisor's own CS and null data selectors from the current GDT.
ROUTINE cpu_load_own_segments
        popq %rax
        pushq $HypervisorCode
        pushq %rax
        xorl %eax, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %ss
        lretq

ROUTINE cpu_load_idt
        subq $24, %rsp
        movw %di, 6(%rsp)
        movq %rsi, 8(%rsp)
        lidt 6(%rsp)
        addq $24, %rsp
        ret

ROUTINE cpu_load_task
        ltr %di
        ret

ROUTINE cpu_load_ldt
        lldt %di
        ret

        .macro SEGMENT_READ name
ROUTINE segment_read_\name
        movl %\name, %eax
        movzwl %ax, %eax
        ret
        .endm
        SEGMENT_READ ds
        SEGMENT_READ es
        SEGMENT_READ fs
        SEGMENT_READ gs

ROUTINE cpu_rdfsbase
        rdfsbase %rax
        ret
ROUTINE cpu_wrfsbase
        wrfsbase %rdi
        ret
ROUTINE cpu_rdgsbase
        rdgsbase %rax
        ret
ROUTINE cpu_wrgsbase
        wrgsbase %rdi
        ret

// void fpu_xsave(void* area, ulong mask), fpu_fxsave(void* area), fpu_init()
        .macro SAVE_STATE instruction
ROUTINE fpu_\instruction
        movl %esi, %eax
        movq %rsi, %rdx
        shrq $32, %rdx
        \instruction\()64 (%rdi)
        ret
        .endm
        SAVE_STATE xsave
        SAVE_STATE xsaveopt
ROUTINE fpu_fxsave
        fxsave64 (%rdi)
        ret
ROUTINE cpu_xgetbv
        xorl %ecx, %ecx
        xgetbv
        shlq $32, %rdx
        orq %rdx, %rax
        ret

// void cpu_copy_page(void* to, void* from)
ROUTINE cpu_copy_page
        movl $512, %ecx
        rep movsq
        ret

// ulong cpu_multiply_shift(ulong value, uint multiplier): (value * multiplier) >> 32, low 64 bits of the result.
ROUTINE cpu_multiply_shift
        movq %rdi, %rax
        movl %esi, %esi
        mulq %rsi
        shrdq $32, %rdx, %rax
        ret

// Every triple fault begins with an IDT that holds nothing.
ROUTINE cpu_triple_fault
        pushq $0
        pushq $0
        lidt (%rsp)
        ud2
