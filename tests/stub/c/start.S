/* Where QEMU's `sim` machine begins; on the virtual core do_job is called at once. */
    .section .reset, "ax"
    .global reset
reset:
    j near
    .align 4
stack:
    .word stack_top
main_address:
    .word main
near:
    l32r a1, stack
    l32r a0, main_address
    jx a0

/* Call a function; its error, or 0 if it has returned without one. */
    .text
    .align 4
guarded_stack:
    .word guarded
    .global guard, fail, leave
guard:
    addi a1, a1, -32
    s32i a0, a1, 0
    s32i a12, a1, 4
    s32i a13, a1, 8
    s32i a14, a1, 12
    s32i a15, a1, 16
    l32r a3, guarded_stack
    s32i a1, a3, 0
    callx0 a2
    movi a2, 0
back:
    l32i a0, a1, 0
    l32i a12, a1, 4
    l32i a13, a1, 8
    l32i a14, a1, 12
    l32i a15, a1, 16
    addi a1, a1, 32
    ret
/* From however deep, as the stub's own. */
fail:
leave:
    l32r a3, guarded_stack
    l32i a1, a3, 0
    j back

    .bss
    .align 4
guarded:
    .space 4
