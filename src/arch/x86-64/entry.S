// Every way into the hypervisor from a guest or an interrupt, and every way back.
// Contract: see README.md. The processor pushes a guest's frame into its VcpuContext (TSS.RSP0 and the SYSCALL entry point there);
// C# runs on the stack of the processor with interrupts off.
#include "offsets.h"
#include "macros.h"

// Offset of a context field from RSP when RSP points at the frame's RIP.
#define AT(field) (field - ContextRip)(%rsp)

// Where the quick paths keep the guest's registers. Not in their slots of the frame: when an access to guest memory faults, the
// processor pushes its own frame over those.
#define SLOT_RDX AT(ContextSavedRdx)
#define SLOT_RCX AT(ContextSavedRcx)
#define SLOT_RAX AT(ContextSavedRax)
#define VCPU_INFO_PENDING 0
#define VCPU_INFO_MASK 1
#define VCPU_INFO_CR2 0x10
#define RFLAGS_IF 0x200

        .text

        .macro PUSH_GENERAL
        .irp register, rdi, rsi, rdx, rcx, rax, r8, r9, r10, r11, rbx, rbp, r12, r13, r14, r15
        pushq %\register
        .endr
        .endm

        .macro POP_GENERAL
        .irp register, r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi
        popq %\register
        .endr
        .endm

// The vector registers that compiled C# can touch: ./x check proves the list.
        .macro SAVE_XMM at
        movups %xmm0, 0x00+\at
        movups %xmm1, 0x10+\at
        movups %xmm8, 0x20+\at
        .endm

        .macro RESTORE_XMM at
        movups 0x00+\at, %xmm0
        movups 0x10+\at, %xmm1
        movups 0x20+\at, %xmm8
        .endm

// With all general registers pushed below the frame: to C# on the processor's stack. \target takes and returns a context.
        .macro ENTER_CSHARP target
        leaq -ContextRegisters(%rsp), %rdi
        cmpb $0, ContextVirtualTaskSwitched(%rdi)
        je 773f
        clts
773:    SAVE_XMM ContextXmm(%rdi)
        movq ContextStack(%rdi), %rsp
        cld
        call \target
        movq %rax, %rdi
        jmp exit_to_guest
        .endm

// Exchanges the GS bases of the two guest modes. Clobbers rax, rcx, rdx; RSP at the frame's RIP.
        .macro EXCHANGE_GS from, to
        cmpb $0, machine_has_fsgsbase(%rip)
        je 774f
        rdgsbase %rax
        movq %rax, AT(\from)
        movq AT(\to), %rax
        wrgsbase %rax
        jmp 775f
774:    movl $0xC0000101, %ecx
        rdmsr
        movl %eax, AT(\from)
        movl %edx, AT(\from+4)
        movl AT(\to), %eax
        movl AT(\to+4), %edx
        wrmsr
775:
        .endm

// SYSCALL from 64-bit code at CPL 3. RCX = guest RIP, R11 = guest RFLAGS, RSP = guest's; flags masked by MSR.
        .balign 64
        .globl syscall_entry
syscall_entry:
        swapgs
        movq %rsp, %gs:EntryAreaScratch
        movq %gs:EntryAreaFrameEnd, %rsp
        pushq $FlatStack
        pushq %gs:EntryAreaScratch
        pushq %r11
        pushq $FlatCode64
        pushq %rcx
        swapgs
        cmpb $0, AT(ContextInKernel)
        je user_syscall
        cmpq $HypercallIret, %rax
        je iret_hypercall
        pushq $0
        movl $SyscallVector, 4(%rsp)
        PUSH_GENERAL
        ENTER_CSHARP guest_hypercall

// From user mode to the guest's kernel: root, GS base and event mask. Leaves the kernel's stack in RDX and the old mask in ECX; RSP at
// the frame's RIP; clobbers RAX.
        .macro SWITCH_TO_KERNEL masks_events
        movq AT(ContextKernelRoot), %rax
        movq %rax, %cr3
        EXCHANGE_GS ContextUserGsBase, ContextKernelGsBase
        movb $1, AT(ContextInKernel)
        movq AT(ContextKernelStack), %rdx
        movq AT(ContextVcpuInfo), %rax
        movzbl VCPU_INFO_MASK(%rax), %ecx
        cmpb $0, AT(\masks_events)
        je 776f
        movb $1, VCPU_INFO_MASK(%rax)
776:
        .endm

// The part that all frames share, below the kernel's stack in RDX: RIP, CS with the old mask (ECX), RFLAGS, RSP, SS. Clobbers RAX, RCX.
        .macro STORE_FRAME on_fault
        movq AT(ContextRip), %rax
        GUARDED \on_fault, movq %rax, -40(%rdx)
        movq AT(ContextRflags), %rax
        testl %ecx, %ecx
        jz 777f
        andq $~RFLAGS_IF, %rax
777:    GUARDED \on_fault, movq %rax, -24(%rdx)
        shlq $32, %rcx
        movzwl AT(ContextCs), %eax
        orq %rcx, %rax
        GUARDED \on_fault, movq %rax, -32(%rdx)
        movq AT(ContextRsp), %rax
        GUARDED \on_fault, movq %rax, -16(%rdx)
        movzwl AT(ContextSs), %eax
        GUARDED \on_fault, movq %rax, -8(%rdx)
        .endm

// A system call of a guest's user mode: builds the syscall callback's frame on the guest's kernel stack.
user_syscall:
        movq %rax, SLOT_RAX
        movq %rdx, SLOT_RDX
        cmpl $0, AT(ContextWork)
        jne syscall_slow
        cmpq $0, AT(ContextSyscallCallback)
        je syscall_slow
        cmpq $0, AT(ContextKernelStack)
        je syscall_slow
        SWITCH_TO_KERNEL ContextSyscallMasksEvents
        OPEN_GUEST_MEMORY
        STORE_FRAME syscall_stack_fault
        movq AT(ContextRip), %rax
        GUARDED syscall_stack_fault, movq %rax, -56(%rdx)
        GUARDED syscall_stack_fault, movq %r11, -48(%rdx)
        CLOSE_GUEST_MEMORY
        subq $56, %rdx
        movq %rdx, AT(ContextRsp)
        movq AT(ContextSyscallCallback), %rcx
        andq $~0x77500, %r11            // AC, VM, RF, NT, IOPL, DF, TF
        movq SLOT_RAX, %rax
        movq SLOT_RDX, %rdx
        movq AT(ContextRsp), %rsp
        sysretq

syscall_stack_fault:
        CLOSE_GUEST_MEMORY
bounce_stack_fault:
        movq SLOT_RAX, %rax
        movq SLOT_RDX, %rdx
        pushq $0
        movl $SyscallVector, 4(%rsp)
        PUSH_GENERAL
        ENTER_CSHARP guest_bounce_fault

syscall_slow:
        movq SLOT_RAX, %rax
        movq SLOT_RDX, %rdx
        pushq $0
        movl $SyscallVector, 4(%rsp)
        PUSH_GENERAL
        ENTER_CSHARP guest_syscall

// SYSCALL from compatibility mode (AMD only): always the slow way.
        .balign 16
        .globl syscall32_entry
syscall32_entry:
        swapgs
        movq %rsp, %gs:EntryAreaScratch
        movq %gs:EntryAreaFrameEnd, %rsp
        pushq $FlatStack
        pushq %gs:EntryAreaScratch
        pushq %r11
        pushq $FlatCode32
        pushq %rcx
        swapgs
        pushq $0
        movl $SyscallVector, 4(%rsp)
        PUSH_GENERAL
        ENTER_CSHARP guest_syscall32

// The iret hypercall of a guest's kernel, when nothing else waits: loads the 72-byte frame at the guest's stack pointer.
iret_hypercall:
        movq %rdx, SLOT_RDX
        movq AT(ContextRsp), %rdx
        movq %rdx, AT(ContextIretStack)
        cmpl $0, AT(ContextWork)
        jne iret_slow
        movabsq $0xffff880000000000, %rax
        cmpq %rax, %rdx
        jb iret_slow
        OPEN_GUEST_MEMORY
        GUARDED iret_slow_close, movq 0x30(%rdx), %rcx
        movq AT(ContextVcpuInfo), %rax
        btl $9, %ecx
        jc 1f
        movb $1, VCPU_INFO_MASK(%rax)
        jmp 2f
1:      movb $0, VCPU_INFO_MASK(%rax)
        cmpb $0, VCPU_INFO_PENDING(%rax)
        jne iret_slow_close
2:      GUARDED iret_slow_close, testl $0x100, 0x18(%rdx)
        jne iret_slow_close
        andq $~0x23000, %rcx            // IOPL, VM
        orq $RFLAGS_IF, %rcx
        movq %rcx, AT(ContextRflags)
        GUARDED iret_slow_close, movq 0x20(%rdx), %rax
        movq %rax, AT(ContextRip)
        GUARDED iret_slow_close, movq 0x40(%rdx), %rax
        orq $3, %rax
        movq %rax, AT(ContextSs)
        GUARDED iret_slow_close, movq 0x08(%rdx), %r11
        GUARDED iret_slow_close, movq 0x10(%rdx), %rax
        movq %rax, SLOT_RCX
        GUARDED iret_slow_close, movq 0x00(%rdx), %rax
        movq %rax, SLOT_RAX
        GUARDED iret_slow_close, movq 0x38(%rdx), %rcx
        GUARDED iret_slow_close, movq 0x28(%rdx), %rax
        CLOSE_GUEST_MEMORY
        movq %rcx, AT(ContextRsp)
        movzwl %ax, %ecx                // bits above the selector are the guest kernel's own
        movl %ecx, %eax
        orl $3, %ecx
        movq %rcx, AT(ContextCs)
        notl %eax
        testl $3, %eax
        jnz 3f
        movq AT(ContextUserRoot), %rax
        testq %rax, %rax
        jz iret_without_user_root
        movq %rax, %cr3
        EXCHANGE_GS ContextKernelGsBase, ContextUserGsBase
        movb $0, AT(ContextInKernel)
3:      movzwl AT(ContextSs), %eax
        movq %rax, AT(ContextSs)
        movq SLOT_RDX, %rdx
        movq SLOT_RCX, %rcx
        movq SLOT_RAX, %rax
        .globl iret_to_guest
iret_to_guest:
        iretq

iret_without_user_root:
        movq AT(ContextIretStack), %rax
        movq %rax, AT(ContextRsp)
        jmp iret_slow
iret_slow_close:
        CLOSE_GUEST_MEMORY
iret_slow:
        movq SLOT_RDX, %rdx
        pushq $0
        movl $SyscallVector, 4(%rsp)
        PUSH_GENERAL
        ENTER_CSHARP guest_iret

// RDI = the context to resume. Nothing may wait for the guest, else C# looks at it first.
exit_to_guest:
        cmpl $0, ContextWork(%rdi)
        jne exit_with_work
        movq ContextVcpuInfo(%rdi), %rax
        movzwl (%rax), %eax
        decl %eax
        cmpl $0xFF, %eax                // pending 1..255 and mask byte 0
        jb exit_with_work
resume_guest:
        RESTORE_XMM ContextXmm(%rdi)
        cmpb $0, ContextVirtualTaskSwitched(%rdi)
        jne resume_with_task_switched
1:      leaq ContextRegisters(%rdi), %rsp
        POP_GENERAL
        addq $8, %rsp
        cmpl $SyscallVector, -4(%rsp)
        jne iret_to_guest
        // RCX and R11 are the guest's to lose here, so SYSRET may be used if its fixed selectors fit and RIP is canonical.
        movq (%rsp), %rcx
        movq %rcx, %r11
        shlq $16, %r11
        sarq $16, %r11
        cmpq %rcx, %r11
        jne iret_to_guest
        cmpq $FlatCode64, 8(%rsp)
        jne iret_to_guest
        cmpq $FlatStack, 32(%rsp)
        jne iret_to_guest
        movq 16(%rsp), %r11
        movq 24(%rsp), %rsp
        sysretq

resume_with_task_switched:
        movq %cr0, %rax
        orq $8, %rax
        movq %rax, %cr0
        jmp 1b

exit_with_work:
        movq ContextStack(%rdi), %rsp
        call guest_exit_work
        movq %rax, %rdi
        jmp resume_guest

// First entry to a guest from the boot code: RDI = context.
        .globl enter_guest
enter_guest:
        jmp exit_with_work

// Exceptions and interrupts. Stack on arrival at a common label: error code and vector, RIP, CS, RFLAGS, RSP, SS.
        .balign 16
trap_common:
        testb $3, 16(%rsp)
        jz fault_in_hypervisor
trap_from_guest:
        PUSH_GENERAL
        ENTER_CSHARP guest_trap

// A page fault in a guest's user mode is nobody's but its kernel's: CR2, then the frame. Whatever is unusual goes the long way.
        .balign 16
page_fault:
        movl $PageFaultVector, 4(%rsp)
        testb $3, 16(%rsp)
        jz fault_in_hypervisor
        addq $8, %rsp
        cmpb $0, AT(ContextInKernel)
        jne page_fault_slow
        cmpl $0, AT(ContextWork)
        jne page_fault_slow
        cmpq $0, AT(ContextPageFaultHandler)
        je page_fault_slow
        cmpq $0, AT(ContextKernelStack)
        je page_fault_slow
        testl $~0x17, AT(ContextErrorCode) // present, write, user, fetch: anything else is unusual
        jnz page_fault_slow
        movq %rax, SLOT_RAX
        movq %rdx, SLOT_RDX
        movq %cr2, %rdx
        movq %rdx, %rax
        shrq $43, %rax
        cmpl $0x1ffff0, %eax            // the hypervisor's range: perhaps a page of the LDT's window
        je page_fault_restore
        movq %rcx, SLOT_RCX
        movq %rdx, AT(ContextCr2)
        movq AT(ContextVcpuInfo), %rax
        movq %rdx, VCPU_INFO_CR2(%rax)
        SWITCH_TO_KERNEL ContextPageFaultMasksEvents
        OPEN_GUEST_MEMORY
        STORE_FRAME page_fault_stack_fault
        movl AT(ContextErrorCode), %eax
        orl $4, %eax
        GUARDED page_fault_stack_fault, movq %rax, -48(%rdx)
        GUARDED page_fault_stack_fault, movq %r11, -56(%rdx)
        movq SLOT_RCX, %rax
        GUARDED page_fault_stack_fault, movq %rax, -64(%rdx)
        CLOSE_GUEST_MEMORY
        subq $64, %rdx
        movq AT(ContextRflags), %r11
        movq %rdx, AT(ContextRsp)
        movq AT(ContextPageFaultHandler), %rcx
        incq AT(ContextPageFaults)
        andq $~0x77100, %r11            // AC, VM, RF, NT, IOPL, TF
        movq SLOT_RAX, %rax
        movq SLOT_RDX, %rdx
        movq AT(ContextRsp), %rsp
        sysretq

page_fault_stack_fault:
        CLOSE_GUEST_MEMORY
        movq SLOT_RCX, %rcx
        jmp bounce_stack_fault

page_fault_restore:
        movq SLOT_RAX, %rax
        movq SLOT_RDX, %rdx
page_fault_slow:
        subq $8, %rsp
        jmp trap_from_guest

// Goes on where a GUARDED instruction says. The quick paths have the stack pointer in a context: there is room for no more than the
// processor's frame and two words, so no C# is called. Traps with a stack of their own (a breakpoint in guest memory) never come here.
fault_in_hypervisor:
        pushq %rax
        pushq %rcx
        movq 24(%rsp), %rcx
        leaq fixups_start-16(%rip), %rax
1:      addq $16, %rax
        cmpq $0, (%rax)
        je 2f
        cmpq %rcx, (%rax)
        jne 1b
        movq 8(%rax), %rcx
        movq %rcx, 24(%rsp)
        popq %rcx
        popq %rax
        addq $8, %rsp
        iretq
2:      popq %rcx
        popq %rax
trap_in_hypervisor:
        pushq %rax
        leaq iret_to_guest(%rip), %rax
        cmpq %rax, 16(%rsp)
        popq %rax
        je iret_fault
        PUSH_GENERAL
        subq $88, %rsp
        SAVE_XMM 0(%rsp)
        leaq 88(%rsp), %rdi
        cld
        call hypervisor_trap
        RESTORE_XMM 0(%rsp)
        addq $88, %rsp
        POP_GENERAL
        addq $8, %rsp
        iretq

// The IRETQ to a guest faulted: RSP = context + 0x50 (the processor aligned it down before its six words); the registers are the
// guest's. Completes the context as if the guest itself had raised the exception at the place it was returned to.
iret_fault:
        movq %rax, 0x08(%rsp)
        movq (%rsp), %rax
        movq %rcx, 0x10(%rsp)
        movq %rdx, 0x18(%rsp)
        movq %rsi, 0x20(%rsp)
        movq %rdi, 0x28(%rsp)
        movq %rax, 0x30(%rsp)
        movq %r8, (%rsp)
        pushq %r9
        pushq %r10
        pushq %r11
        pushq %rbx
        pushq %rbp
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        ENTER_CSHARP guest_iret_fault

// Traps that arrive on a stack of their own (IST): the frame is moved into the context when the guest was interrupted.
        .balign 16
trap_on_own_stack:
        testb $3, 16(%rsp)
        jz trap_in_hypervisor
        pushq %rax
        pushq %rcx
        swapgs
        movq %gs:EntryAreaFrameEnd, %rax
        swapgs
        .irp word, 0, 8, 16, 24, 32, 40
        movq 16+\word(%rsp), %rcx
        movq %rcx, \word-48(%rax)
        .endr
        popq %rcx
        subq $48, %rax
        xchgq %rax, (%rsp)
        popq %rsp
        jmp trap_from_guest

        .altmacro
        .macro TRAP_STUB vector
        .balign 16
        .if (\vector == 8) || ((\vector >= 10) && (\vector <= 14)) || (\vector == 17) || (\vector == 21) || (\vector == 29) || (\vector == 30)
        .else
        pushq $0
        .endif
        .if \vector == PageFaultVector
        jmp page_fault
        .endif
        movl $\vector, 4(%rsp)
        .if (\vector == 1) || (\vector == 2) || (\vector == 8) || (\vector == 18)
        jmp trap_on_own_stack
        .else
        jmp trap_common
        .endif
        .endm

// One stub of 16 or 32 bytes per vector; trap_stub_table holds their addresses.
        .balign 16
        .set vector_number, 0
        .rept 256
        .macro EMIT_STUB number
trap_stub_\number:
        TRAP_STUB \number
        .pushsection .rodata.stubs, "a"
        .quad trap_stub_\number
        .popsection
        .endm
        EMIT_STUB %vector_number
        .purgem EMIT_STUB
        .set vector_number, vector_number + 1
        .endr
        .noaltmacro

        .section .rodata.stubs, "a"
        .globl trap_stub_table_end
trap_stub_table_end:

        .comm machine_has_fsgsbase, 8
