// The names of the hypervisor's routines, for backtraces: a table made by tools/build/symbols.py after the first link.
        .section .symbols, "aw"
        .globl symbol_table, symbol_table_end
        .balign 8
symbol_table:
        .incbin "symbols.bin"
symbol_table_end:
