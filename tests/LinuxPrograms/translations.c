// translations: does a change to a mapping hold on every processor once the call that made it has returned?
// A writer on another processor writes to one page as fast as it can; mprotect takes its right away, and from then on the page must stay as
// it is, whatever that processor still had in its translation cache. usage: translations ROUNDS
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile unsigned long *page;
static atomic_ulong written, faults;
static atomic_int done;
static sigjmp_buf again;

static void on_fault(int signal, siginfo_t *information, void *context)
{
    (void)signal;
    (void)context;
    if (information->si_addr != (void *)page) {
        _exit(3);
    }
    atomic_fetch_add(&faults, 1);
    siglongjmp(again, 1);
}

static void pin(int processor)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        perror("translations: sched_setaffinity");
        exit(2);
    }
}

static void *writer(void *processor)
{
    pin((int)(long)processor);
    sigsetjmp(again, 1);
    while (!atomic_load(&done)) {
        *page += 1;
        atomic_fetch_add(&written, 1);
    }
    return NULL;
}

static void wait_for_writes(void)
{
    unsigned long seen = atomic_load(&written);
    while (atomic_load(&written) < seen + 3) {
        sched_yield();
    }
}

static int check(int processor, int rounds)
{
    pthread_t thread;
    pin(0);
    atomic_store(&done, 0);
    pthread_create(&thread, NULL, writer, (void *)(long)processor);
    for (int round = 0; round < rounds; round++) {
        wait_for_writes();
        if (mprotect((void *)page, 4096, PROT_READ) != 0) {
            perror("translations: mprotect");
            exit(2);
        }
        unsigned long before = *page;
        for (int i = 0; i < 200; i++) {
            if (*page != before) {
                printf("translations: processor %d wrote to the page after it had become read-only (round %d)\n", processor, round);
                return 1;
            }
        }
        unsigned long refused = atomic_load(&faults);
        while (atomic_load(&faults) == refused) {
            sched_yield();
        }
        mprotect((void *)page, 4096, PROT_READ | PROT_WRITE);
    }
    atomic_store(&done, 1);
    pthread_join(thread, NULL);
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 100;
    int processors = (int)sysconf(_SC_NPROCESSORS_ONLN);
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
    sigaction(SIGSEGV, &action, NULL);
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || processors < 2) {
        printf("translations: needs a page and two processors\n");
        return 2;
    }
    for (int processor = 1; processor < processors; processor++) {
        if (check(processor, rounds) != 0) {
            return 1;
        }
    }
    printf("translations: ok, %d processors\n", processors);
    return 0;
}
