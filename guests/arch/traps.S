// Exceptions and callbacks of the guest: every stub brings the frame into one form and calls C#; and the two ways to run code that may fault.

        .text
// Vectors below 256 are exceptions and software interrupts; the callbacks follow them.
        .set EVENT, 256
        .set FAILSAFE, 257
        .set SYSCALL, 258
        .set SYSCALL32, 259

        .macro stub vector
        .balign 16
        popq %rcx
        popq %r11
        .if \vector != 8 && (\vector < 10 || \vector > 14) && \vector != 17
        pushq $0
        .endif
        pushq $\vector
        jmp trap_common
        .endm

        .balign 16
        .globl guest_trap_stubs
guest_trap_stubs:
        .set n, 0
        .rept 256
        stub n
        .set n, n + 1
        .endr

        .globl guest_event_stub, guest_failsafe_stub, guest_syscall_stub, guest_syscall32_stub
guest_event_stub:
        stub EVENT
guest_syscall_stub:
        stub SYSCALL
guest_syscall32_stub:
        stub SYSCALL32
guest_failsafe_stub:
        popq %rcx
        popq %r11
        addq $32, %rsp
        pushq $0
        pushq $FAILSAFE

trap_common:
        pushq %rax
        pushq %rcx
        pushq %rdx
        pushq %rbx
        pushq %rbp
        pushq %rsi
        pushq %rdi
        pushq %r8
        pushq %r9
        pushq %r10
        pushq %r11
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        movq %rsp, %rdi
        movq %rsp, %rbp
        subq $80, %rsp
        andq $~15, %rsp
        movups %xmm0, (%rsp)
        movups %xmm1, 16(%rsp)
        movups %xmm2, 32(%rsp)
        movups %xmm3, 48(%rsp)
        movups %xmm8, 64(%rsp)
        cld
        call guest_trap
        movups (%rsp), %xmm0
        movups 16(%rsp), %xmm1
        movups 32(%rsp), %xmm2
        movups 48(%rsp), %xmm3
        movups 64(%rsp), %xmm8
        movq %rbp, %rsp
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %r11
        popq %r10
        popq %r9
        popq %r8
        popq %rdi
        popq %rsi
        popq %rbp
        popq %rbx
        popq %rdx
        popq %rcx
        popq %rax
        addq $16, %rsp
        pushq $0
        pushq %rcx
        pushq %r11
        pushq %rax
        movl $23, %eax
        syscall
        ud2

        .macro keep
        pushq %rbp
        pushq %rbx
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        subq $8, %rsp
        movq %rsp, guest_recover_stack(%rip)
        leaq 9f(%rip), %rax
        movq %rax, guest_recover(%rip)
        .endm

        .macro restore
9:      movq $0, guest_recover(%rip)
        cld
        addq $8, %rsp
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %rbx
        popq %rbp
        ret
        .endm

// void guest_probe(ProbeRegisters* registers, void* code): loads the registers, calls the code, stores the registers. A trap in it ends it.
        .globl guest_probe
guest_probe:
        keep
        movq %rdi, %r15
        movq %rsi, %r14
        movq 0x00(%r15), %rax
        movq 0x08(%r15), %rcx
        movq 0x10(%r15), %rdx
        movq 0x18(%r15), %rbx
        movq 0x20(%r15), %rsi
        movq 0x28(%r15), %rdi
        movq 0x30(%r15), %r8
        movq 0x38(%r15), %r9
        movq 0x40(%r15), %r10
        movq 0x48(%r15), %r12
        call *%r14
        movq %rax, 0x00(%r15)
        movq %rcx, 0x08(%r15)
        movq %rdx, 0x10(%r15)
        movq %rbx, 0x18(%r15)
        movq %rsi, 0x20(%r15)
        movq %rdi, 0x28(%r15)
        movq %r8, 0x30(%r15)
        movq %r9, 0x38(%r15)
        movq %r10, 0x40(%r15)
        movq %r12, 0x48(%r15)
        restore

// void guest_leave(IretContext* frame): the iret hypercall with that frame; comes back when something traps.
        .globl guest_leave
guest_leave:
        keep
        // The frame must lie at the stack pointer, and what follows must not overwrite this function's own stack.
        movq %rdi, %rsp
        movl $23, %eax
        movl $0x5EED, %ebx
        syscall
        restore

// void guest_nowhere(void* address): jumps there on the given stack, or on this one when it is null.
        .globl guest_jump
guest_jump:
        testq %rsi, %rsi
        jz 1f
        movq %rsi, %rsp
1:      jmp *%rdi

// ulong guest_hammer(ulong* at, ulong value, uint* stop): writes the value and 0 there by turns, and even numbers behind it, until told to
// stop or until it may not.
        .globl guest_hammer
guest_hammer:
        xorl %eax, %eax
1:      cmpl $0, (%rdx)
        jne guest_hammer_end
        incq %rax
        movq %rsi, (%rdi)
        movq $0, (%rdi)
        leaq (%rax, %rax), %rcx
        movq %rcx, 8(%rdi)
        jmp 1b
guest_hammer_end:
        ret

// ulong guest_watch(ulong* at, ulong value, uint* stop): reads there until told to stop or until it may not, which gives 0, or until it reads the value.
        .globl guest_watch
guest_watch:
        xorl %eax, %eax
1:      cmpl $0, (%rdx)
        jne guest_hammer_end
        cmpq %rsi, (%rdi)
        jne 1b
        incl %eax
        ret

// The page-fault handler of a vcpu that only does these two: it ends them.
        .globl guest_hammer_fault
guest_hammer_fault:
        addq $24, %rsp
        leaq guest_hammer_end(%rip), %rcx
        movq %rcx, (%rsp)
        pushq $0
        pushq %rcx
        pushq %r11
        pushq %rax
        movl $23, %eax
        syscall
        ud2

        .data
        .balign 8
        .globl guest_recover, guest_recover_stack
guest_recover:
        .quad 0
guest_recover_stack:
        .quad 0
