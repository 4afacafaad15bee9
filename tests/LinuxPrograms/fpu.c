// Keeps vector registers live across system calls, page faults, signals and other processes, and checks that they stay.
//
// fpu PROCESSES ROUNDS: prints "fpu: ok, ..." and exits 0, or says what was lost and exits 1. Each process fills all sixteen vector
// registers with numbers of its own inside one piece of assembly, does one thing that enters the kernel, and stores them again.
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REGISTERS = 16, WORDS = 4, PAGES = 64 };

static uint64_t before[REGISTERS][WORDS] __attribute__((aligned(32)));
static uint64_t after[REGISTERS][WORDS] __attribute__((aligned(32)));
static uint64_t other[REGISTERS][WORDS] __attribute__((aligned(32)));
static int has_avx;
static volatile sig_atomic_t handled;

#define ALL(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define LOAD_AVX(n) "vmovdqa 32*" #n "(%[from]), %%ymm" #n "\n\t"
#define STORE_AVX(n) "vmovdqa %%ymm" #n ", 32*" #n "(%[to])\n\t"
#define LOAD_SSE(n) "movdqa 32*" #n "(%[from]), %%xmm" #n "\n\t"
#define STORE_SSE(n) "movdqa %%xmm" #n ", 32*" #n "(%[to])\n\t"
#define CLOBBER "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

// One system call while the registers are live.
static void across_call(long number, long a, long b)
{
    long result = number;
    if (has_avx)
        __asm__ volatile(ALL(LOAD_AVX) "syscall\n\t" ALL(STORE_AVX)
                         : "+a"(result) : "D"(a), "S"(b), [from] "r"(before), [to] "r"(after) : "rcx", "r11", "memory", CLOBBER);
    else
        __asm__ volatile(ALL(LOAD_SSE) "syscall\n\t" ALL(STORE_SSE)
                         : "+a"(result) : "D"(a), "S"(b), [from] "r"(before), [to] "r"(after) : "rcx", "r11", "memory", CLOBBER);
}

// One write to a page that is not there yet, while the registers are live.
static void across_fault(volatile char *page)
{
    if (has_avx)
        __asm__ volatile(ALL(LOAD_AVX) "movb $1, (%[page])\n\t" ALL(STORE_AVX)
                         : : [page] "r"(page), [from] "r"(before), [to] "r"(after) : "memory", CLOBBER);
    else
        __asm__ volatile(ALL(LOAD_SSE) "movb $1, (%[page])\n\t" ALL(STORE_SSE)
                         : : [page] "r"(page), [from] "r"(before), [to] "r"(after) : "memory", CLOBBER);
}

// A handler that uses the registers for itself.
static void on_signal(int number)
{
    (void)number;
    if (has_avx)
        __asm__ volatile(ALL(LOAD_AVX) : : [from] "r"(other) : CLOBBER);
    else
        __asm__ volatile(ALL(LOAD_SSE) : : [from] "r"(other) : CLOBBER);
    handled++;
}

static void check(const char *what, int process, int round)
{
    int words = has_avx ? WORDS : 2;
    for (int i = 0; i < REGISTERS; i++)
        if (memcmp(before[i], after[i], words * sizeof(uint64_t)) != 0) {
            printf("fpu: process %d lost register %d in round %d across %s\n", process, i, round, what);
            exit(1);
        }
}

static void work(int process, int rounds)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGUSR1, &action, NULL);
    memset(other, 0xA5, sizeof other);
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < REGISTERS; i++)
            for (int j = 0; j < WORDS; j++)
                before[i][j] = 0x9E3779B97F4A7C15u * (uint64_t)(process * 1000003 + round * 101 + i * 7 + j + 1);
        across_call(SYS_getppid, 0, 0);
        check("getppid", process, round);
        across_call(SYS_sched_yield, 0, 0);
        check("sched_yield", process, round);
        across_call(SYS_kill, getpid(), SIGUSR1);
        check("a signal", process, round);
        char *pages = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages == MAP_FAILED) {
            puts("fpu: no memory");
            exit(1);
        }
        for (int i = 0; i < PAGES; i++) {
            across_fault(pages + i * 4096);
            check("a page fault", process, round);
        }
        munmap(pages, PAGES * 4096);
    }
    if (handled != rounds) {
        printf("fpu: process %d handled %d signals of %d\n", process, (int)handled, rounds);
        exit(1);
    }
    exit(0);
}

int main(int count, char **arguments)
{
    if (count != 3)
        return 2;
    int processes = atoi(arguments[1]), rounds = atoi(arguments[2]), bad = 0, status;
    unsigned a, b, c, d;
    // AVX is there when the processor has it and the kernel keeps its state (OSXSAVE and XCR0).
    if (__get_cpuid(1, &a, &b, &c, &d) && (c & (3u << 27)) == 3u << 27) {
        unsigned low, high;
        __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        has_avx = (low & 6) == 6;
    }
    for (int i = 0; i < processes; i++)
        if (fork() == 0)
            work(i, rounds);
    while (wait(&status) > 0)
        bad += status != 0;
    if (bad == 0)
        printf("fpu: ok, %s, %d processes, %d rounds\n", has_avx ? "AVX" : "SSE", processes, rounds);
    return bad != 0;
}
