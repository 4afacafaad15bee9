// The start of every guest kernel, what its ELF notes say, and the routines that the compiler expects by name.

        .macro note type, kind, value:vararg
        .balign 4
        .long 4
        .long 2f - 1f
        .long \type
        .asciz "Xen"
1:      \kind \value
2:      .balign 4
        .endm

        .section .note.Xen, "a", @note
        note 1, .quad, guest_start
        note 3, .quad, 0xffffffff80000000
        note 4, .quad, 0
        note 5, .asciz, "xen-3.0"
        note 6, .asciz, "xenolith-guest"
        note 7, .asciz, "1"
        note 8, .asciz, "generic"
        note 9, .asciz, "yes"
        note 10, .asciz, "!writable_page_tables|pae_pgdir_above_4gb"
        note 17, .long, 0x8801

        .text
        .globl guest_start
guest_start:
        cld
        movq %rsp, guest_first_stack(%rip)
        leaq guest_stack_end(%rip), %rsp
        xorl %ebp, %ebp
        movq %rsi, %rdi
        call guest_entry
        ud2

        .globl RhpReversePInvoke, RhpReversePInvokeReturn
RhpReversePInvoke:
RhpReversePInvokeReturn:
        ret
        .globl RhpThrowEx
RhpThrowEx:
        ud2
        .globl RhpFallbackFailFast
RhpFallbackFailFast:
        movl $6, %edi
        jmp corelib_panic

// void corelib_move(byte* to, byte* from, nuint bytes): overlapping ranges are allowed.
        .globl corelib_move
corelib_move:
        movq %rdx, %rcx
        movq %rdi, %rax
        subq %rsi, %rax
        cmpq %rdx, %rax
        jb 1f
        rep movsb
        ret
1:      leaq -1(%rsi, %rcx), %rsi
        leaq -1(%rdi, %rcx), %rdi
        std
        rep movsb
        cld
        ret

// void corelib_fill(byte* to, byte value, nuint bytes)
        .globl corelib_fill
corelib_fill:
        movl %esi, %eax
        movq %rdx, %rcx
        rep stosb
        ret

// long guest_hypercall(ulong number, ulong first, ... fifth)
        .globl guest_hypercall
guest_hypercall:
        movq %rdi, %rax
        movq %rsi, %rdi
        movq %rdx, %rsi
        movq %rcx, %rdx
        movq %r8, %r10
        movq %r9, %r8
        syscall
        ret

// ulong guest_tsc()
        .globl guest_tsc
guest_tsc:
        rdtsc
        shlq $32, %rdx
        orq %rdx, %rax
        ret

        .data
        .balign 8
        .globl __security_cookie, guest_first_stack
__security_cookie:
        .quad 0x5A5A00FF0A0D3C00
guest_first_stack:
        .quad 0

        .bss
        .balign 4096
        .globl guest_pages, guest_pages_end, guest_stack_end, guest_trap_stack_end
guest_pages:
        .skip 256 * 4096
guest_pages_end:
        .skip 8 * 4096
guest_stack_end:
        .skip 8 * 4096
guest_trap_stack_end:
