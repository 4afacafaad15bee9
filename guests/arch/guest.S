// One guest: its name, its entry in C#. Assembled once per guest with GUEST_NAME and GUEST_ENTRY.
        .section .rodata
        .globl guest_name
guest_name:
        .asciz GUEST_NAME

        .text
        .globl guest_main
guest_main:
        jmp GUEST_ENTRY
