// From the boot loader to C#: Multiboot 1 header, checks of the processor, long mode, the jump to the high half.
#include "offsets.h"
#include "macros.h"

#define VIRTUAL_BASE 0xffff82d080000000
#define MULTIBOOT_MAGIC 0x1BADB002
#define MULTIBOOT_FLAGS 0x00010003      // page-aligned modules, memory information, address fields

        .section .boot, "awx"
        .code32
        .balign 8
multiboot_header:
        .long MULTIBOOT_MAGIC
        .long MULTIBOOT_FLAGS
        .long -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
        .long multiboot_header
        .long image_load_start
        .long image_load_end
        .long image_bss_end
        .long boot_start

        .globl boot_start
boot_start:
        cli
        cld
        movl $boot_stack_low, %esp
        movl %eax, %esi
        movl %ebx, %edi
        // EFLAGS.ID can be toggled on every processor that has CPUID; one with long mode always has it.
        movl $0x80000000, %eax
        cpuid
        cmpl $0x80000001, %eax
        jb no_long_mode
        movl $0x80000001, %eax
        cpuid
        btl $29, %edx
        jnc no_long_mode
        btl $20, %edx
        jnc no_execute_disable

        // Level 2: 4 GiB in 2 MiB pages, used by the identity map and by the direct map.
        movl $boot_level2, %ebx
        xorl %ecx, %ecx
1:      movl %ecx, %eax
        shll $21, %eax
        orl $0xE3, %eax                 // P, RW, A, D, 2 MiB
        movl %eax, (%ebx, %ecx, 8)
        movl $0, 4(%ebx, %ecx, 8)
        incl %ecx
        cmpl $2048, %ecx
        jne 1b
        movl $boot_level3_identity, %ebx
        movl $boot_level3_direct, %edx
        movl $boot_level2 + 0x23, %eax
        xorl %ecx, %ecx
2:      movl %eax, (%ebx, %ecx, 8)
        movl %eax, (%edx, %ecx, 8)
        addl $4096, %eax
        incl %ecx
        cmpl $4, %ecx
        jne 2b
        // The image: its first GiB is physical memory from 0 on.
        movl $boot_level2 + 0x23, boot_level3_image + 322 * 8
        movl $boot_level3_identity + 0x23, boot_level4
        movl $boot_level3_image + 0x23, boot_level4 + 261 * 8
        movl $boot_level3_direct + 0x23, boot_level4 + 262 * 8

        call enter_long_mode
        ljmp $8, $long_mode_start

// The rest of the way to long mode, the same for every processor. Clobbers EAX, ECX, EDX.
enter_long_mode:
        movl $0x620, %eax               // PAE, OSFXSR, OSXMMEXCPT
        movl %eax, %cr4
        movl $boot_level4, %eax
        movl %eax, %cr3
        movl $0xC0000080, %ecx
        rdmsr
        orl $0x901, %eax                // NXE, LME, SCE
        wrmsr
        movl $0x80050033, %eax          // PG, AM, WP, NE, ET, MP, PE
        movl %eax, %cr0
        lgdt boot_gdt_pointer
        ret

// A further processor, in 32-bit mode: the way of the first, then to the stack that it was given.
secondary_start:
        movl $0x18, %eax
        movl %eax, %ds
        movl %eax, %ss
        movl $boot_stack_low, %esp
        call enter_long_mode
        ljmp $8, $secondary_long_mode

// What a startup IPI runs: 16-bit code, copied to a page below 1 MiB, at offset 0 of its segment.
        .code16
        .globl trampoline_start, trampoline_end
trampoline_start:
        cli
        movw %cs, %ax
        movw %ax, %ds
        lgdtl trampoline_gdt_pointer - trampoline_start
        movl $1, %eax
        movl %eax, %cr0
        ljmpl $0x10, $secondary_start
trampoline_gdt_pointer:
        .word boot_gdt_pointer - boot_gdt - 1
        .long boot_gdt
trampoline_end:
        .code32

no_long_mode:
        movl $text_no_long_mode, %esi
        jmp stop_with_text
no_execute_disable:
        movl $text_no_execute_disable, %esi
stop_with_text:
        movw $0x3FB, %dx                // COM1: 8 bits, divisor 1, FIFO off
        movb $0x80, %al
        outb %al, %dx
        movw $0x3F8, %dx
        movb $1, %al
        outb %al, %dx
        incl %edx
        xorl %eax, %eax
        outb %al, %dx
        movw $0x3FB, %dx
        movb $3, %al
        outb %al, %dx
1:      movw $0x3FD, %dx
2:      inb %dx, %al
        testb $0x20, %al
        jz 2b
        lodsb
        testb %al, %al
        jz 3f
        movw $0x3F8, %dx
        outb %al, %dx
        jmp 1b
3:      cli
        hlt
        jmp 3b

text_no_long_mode:
        .asciz "Xenolith: this processor has no 64-bit mode (long mode); the hypervisor needs an x86-64 processor.\r\n"
text_no_execute_disable:
        .asciz "Xenolith: this processor has no execute-disable bit (NX), or it is switched off in the firmware; switch it on.\r\n"

        .balign 8
boot_gdt:
        .quad 0
        .quad 0x00af9b000000ffff        // 64-bit code
        .quad 0x00cf9b000000ffff        // 32-bit code
        .quad 0x00cf93000000ffff        // data
boot_gdt_pointer:
        .word boot_gdt_pointer - boot_gdt - 1
        .quad boot_gdt

        .code64
        .macro NULL_SEGMENTS
        xorl %eax, %eax
        .irp register, ds, es, ss, fs, gs
        movl %eax, %\register
        .endr
        .endm

secondary_long_mode:
        NULL_SEGMENTS
        movabsq $secondary_high, %rax
        jmp *%rax

long_mode_start:
        NULL_SEGMENTS
        movabsq $boot_stack + ProcessorStackBytes - 64, %rsp
        // The multiboot registers survive in ESI and EDI; swap them into argument order.
        xchgl %esi, %edi
        movabsq $boot_high, %rax
        jmp *%rax

        .text
boot_high:
        // A guard of stack buffers that no guest can know; its low byte is zero, so that no text can hold it.
        rdtsc
        shlq $32, %rdx
        orq %rdx, %rax
        movabsq $0x9E3779B97F4A7C00, %rcx
        imulq %rcx, %rax
        movq %rax, __security_cookie(%rip)
        pushq $0
        pushq $0
        call hypervisor_main
        ud2

// One further processor at a time comes here; the first one has left it a root and a stack.
secondary_high:
        movq secondary_root(%rip), %rax
        movq %rax, %cr3
        movq secondary_stack(%rip), %rsp
        pushq $0
        pushq $0
        call secondary_main
        ud2

// The routines that the compiler expects by name.
        .globl RhpReversePInvoke, RhpReversePInvokeReturn, RhpThrowEx
RhpReversePInvoke:
RhpReversePInvokeReturn:
        ret
RhpThrowEx:
        ud2

// The guard of a stack buffer has been overwritten: nothing on this stack can be believed.
        .globl RhpFallbackFailFast
RhpFallbackFailFast:
        movl $6, %edi
        jmp corelib_panic

// void corelib_move(byte* to, byte* from, nuint bytes): overlapping ranges are allowed.
ROUTINE corelib_move
        movq %rdi, %rax
        subq %rsi, %rax
        cmpq %rdx, %rax
        jb 3f
        movq %rdx, %rcx
        andq $-128, %rcx
        jz 2f
        addq %rcx, %rsi
        addq %rcx, %rdi
        negq %rcx
1:      .irp offset, 0, 16, 32, 48, 64, 80, 96, 112
        movups \offset(%rsi, %rcx), %xmm0
        movups %xmm0, \offset(%rdi, %rcx)
        .endr
        subq $-128, %rcx
        jnz 1b
2:      movl %edx, %ecx
        andl $120, %ecx
        shrl $3, %ecx
        rep movsq
        movl %edx, %ecx
        andl $7, %ecx
        rep movsb
        ret
3:      leaq -1(%rsi, %rdx), %rsi       // the target lies above within the source: from the end down
        leaq -1(%rdi, %rdx), %rdi
        movq %rdx, %rcx
        std
        rep movsb
        cld
        ret

// void corelib_fill(byte* to, byte value, nuint bytes)
ROUTINE corelib_fill
        movzbl %sil, %eax
        movabsq $0x0101010101010101, %rcx
        imulq %rcx, %rax
        movq %rdx, %rcx
        shrq $3, %rcx
        rep stosq
        movl %edx, %ecx
        andl $7, %ecx
        rep stosb
        ret

        .comm __security_cookie, 8
        .comm secondary_root, 8
        .comm secondary_stack, 8

        .section .bss.boot, "aw", @nobits
        .balign 4096
boot_level4:            .skip 4096
boot_level3_identity:   .skip 4096
boot_level3_direct:     .skip 4096
boot_level3_image:      .skip 4096
boot_level2:            .skip 4096 * 4
boot_stack_low_start:   .skip 256
boot_stack_low:

        .bss
// The block of the first processor: stack, descriptor page, task state, entry area (see ProcessorBlock.cs); then what all share.
        .balign ProcessorStackBytes
        .globl boot_stack, interrupt_table
boot_stack:             .skip ProcessorStackBytes + 4096 + 256
        .balign 4096
interrupt_table:
        .skip 4096
