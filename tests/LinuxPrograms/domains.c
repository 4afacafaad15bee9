// domains: makes a domain, runs it, and destroys it, again and again, through /dev/xen/privcmd; in the end as much memory is free as after
// the first time. Each domain counts one up in its memory and shuts down with a code. usage: domains CYCLES [PAGES]
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096UL
#define BASE 0xFFFFFFFF80000000UL
#define DOMCTL_VERSION 0x15
#define SHUTDOWN_CODE 1

// The pages that the domain is built of; the others are its memory and nothing else.
enum { ROOT, L3, L2, L1, CODE, STACK, DATA, FIRST_PAGES };

extern const char guest_start[], guest_end[];
__asm__(".pushsection .rodata\n"
        "guest_start:\n"
        "    movabs $0xFFFFFFFF80006000, %rbx\n" // DATA: a counter, then the reason to shut down with
        "    incq (%rbx)\n"
        "    mov $29, %eax\n" // sched_op
        "    mov $2, %edi\n"  // shutdown
        "    lea 8(%rbx), %rsi\n"
        "    syscall\n"
        "1:  jmp 1b\n"
        "guest_end:\n"
        ".popsection\n");

struct call { uint64_t number, arguments[5]; };
struct map_batch { uint32_t count; uint16_t domain; uint64_t address; const uint64_t *frames; int *errors; };
struct map_resource { uint16_t domain; uint32_t type, id, index; uint64_t count, address; };

static int privcmd;

// Pages that stay where they are while the hypervisor reads them: one for the structure, the others for what it points to.
static unsigned char *structure, *buffer;
#define BUFFER_PAGES 16

static void fail(const char *what)
{
    fprintf(stderr, "domains: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void put(unsigned offset, uint64_t value, unsigned bytes) { memcpy(structure + offset, &value, bytes); }

static uint64_t get(unsigned offset, unsigned bytes)
{
    uint64_t value = 0;
    memcpy(&value, structure + offset, bytes);
    return value;
}

static long hypercall(uint64_t number, uint64_t first, uint64_t second, uint64_t third, uint64_t fourth)
{
    struct call call = { number, { first, second, third, fourth, 0 } };
    return ioctl(privcmd, 0x00305000, &call);
}

static void domctl_begin(uint32_t command, uint16_t domain)
{
    memset(structure, 0, 144);
    put(0, command, 4);
    put(4, DOMCTL_VERSION, 4);
    put(8, domain, 2);
}

static long domctl_try(void) { return hypercall(36, (uintptr_t)structure, 0, 0, 0); }

static void domctl(const char *what)
{
    if (domctl_try() < 0) {
        fail(what);
    }
}

static uint64_t free_pages(void)
{
    memset(structure, 0, 136);
    put(0, 3, 4);
    put(4, DOMCTL_VERSION, 4);
    if (hypercall(35, (uintptr_t)structure, 0, 0, 0) < 0) {
        fail("physinfo");
    }
    return get(8 + 48, 8);
}

static uint16_t create(void)
{
    domctl_begin(1, 0);
    put(16 + 28, 1, 4);             // vcpus
    put(16 + 32, 1023, 4);          // event ports
    put(16 + 36, 0xFFFFFFFF, 4);    // grant frames
    put(16 + 40, 0xFFFFFFFF, 4);    // map track frames
    put(16 + 44, 1, 4);             // grant version
    domctl("createdomain");
    return (uint16_t)get(8, 2);
}

static void set(uint32_t command, uint16_t domain, uint64_t value, const char *what)
{
    domctl_begin(command, domain);
    put(16, value, 8);
    domctl(what);
}

static void open_port(uint16_t domain)
{
    put(0, domain, 2);
    put(2, 0, 2);
    if (hypercall(32, 6, (uintptr_t)structure, 0, 0) < 0) {
        fail("alloc_unbound");
    }
}

static void populate(uint16_t domain, uint64_t *frames, unsigned pages)
{
    uint64_t *list = (uint64_t *)buffer;
    const unsigned piece = BUFFER_PAGES * PAGE / 8;
    for (unsigned done = 0; done < pages; done += piece) {
        unsigned count = pages - done < piece ? pages - done : piece;
        for (unsigned i = 0; i < count; i++) {
            list[i] = done + i;
        }
        memset(structure, 0, 32);
        put(0, (uintptr_t)list, 8);
        put(8, count, 8);
        put(24, domain, 2);
        long made = hypercall(12, 6, (uintptr_t)structure, 0, 0);
        if (made != (long)count) {
            fail("populate_physmap");
        }
        memcpy(frames + done, list, count * 8);
    }
}

static unsigned char *map(uint16_t domain, const uint64_t *frames, unsigned count)
{
    int errors[FIRST_PAGES];
    unsigned char *at = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, privcmd, 0);
    struct map_batch batch = { count, domain, (uintptr_t)at, frames, errors };
    if (at == MAP_FAILED || ioctl(privcmd, 0x00205004, &batch) < 0) {
        fail("mmap of frames");
    }
    for (unsigned i = 0; i < count; i++) {
        if (errors[i] != 0) {
            errno = -errors[i];
            fail("a frame of the domain");
        }
    }
    return at;
}

static void build(uint16_t domain, const uint64_t *frames, uint64_t seed)
{
    unsigned char *memory = map(domain, frames, FIRST_PAGES);
    uint64_t *table[L1 + 1];
    for (int i = ROOT; i <= L1; i++) {
        table[i] = (uint64_t *)(memory + i * PAGE);
    }
    table[ROOT][511] = frames[L3] * PAGE | 0x67;
    table[L3][510] = frames[L2] * PAGE | 0x67;
    table[L2][0] = frames[L1] * PAGE | 0x67;
    for (int i = CODE; i < FIRST_PAGES; i++) {
        table[L1][i] = frames[i] * PAGE | 0x67;
    }
    memcpy(memory + CODE * PAGE, guest_start, guest_end - guest_start);
    memcpy(memory + DATA * PAGE, &seed, 8);
    uint32_t reason = SHUTDOWN_CODE;
    memcpy(memory + DATA * PAGE + 8, &reason, 4);
    munmap(memory, FIRST_PAGES * PAGE);
}

static void pin(uint16_t domain, uint64_t root)
{
    memset(structure, 0, 24);
    put(0, 3, 4);
    put(8, root, 8);
    if (hypercall(26, (uintptr_t)structure, 1, 0, domain) < 0) {
        fail("pin");
    }
}

static void seed_grants(uint16_t domain, uint64_t frame)
{
    unsigned char *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, privcmd, 0);
    struct map_resource resource = { domain, 1, 0, 0, 1, (uintptr_t)at };
    if (at == MAP_FAILED || ioctl(privcmd, 0x00205007, &resource) < 0) {
        fail("the grant table");
    }
    uint64_t entry = 1 | frame << 32;
    memcpy(at, &entry, 8);
    munmap(at, PAGE);
}

static void set_context(uint16_t domain, uint64_t root)
{
    memset(buffer, 0, 5168);
    uint64_t *words = (uint64_t *)buffer;
    words[512 / 8] = 4 | 0x20;              // in kernel mode, online
    words[648 / 8] = BASE + CODE * PAGE;    // rip
    words[656 / 8] = 0xE033;                // cs
    words[664 / 8] = 0x200;                 // rflags
    words[672 / 8] = BASE + (STACK + 1) * PAGE;
    words[680 / 8] = 0xE02B;                // ss
    words[4968 / 8] = 0xE02B;
    words[4976 / 8] = BASE + (STACK + 1) * PAGE;
    words[5008 / 8] = root * PAGE;
    domctl_begin(12, domain);
    put(24, (uintptr_t)buffer, 8);
    domctl("setvcpucontext");
}

static void await_end(uint16_t domain)
{
    for (;;) {
        domctl_begin(5, domain);
        domctl("getdomaininfo");
        uint32_t flags = (uint32_t)get(16 + 4, 4);
        if ((flags & 4) != 0) {
            if ((flags >> 16 & 0xFF) != SHUTDOWN_CODE) {
                fprintf(stderr, "domains: domain %d ended with code %d\n", domain, flags >> 16 & 0xFF);
                exit(1);
            }
            return;
        }
        sched_yield();
    }
}

static void check_counter(uint16_t domain, uint64_t frame, uint64_t seed)
{
    unsigned char *data = map(domain, &frame, 1);
    uint64_t seen;
    memcpy(&seen, data, 8);
    munmap(data, PAGE);
    if (seen != seed + 1) {
        fprintf(stderr, "domains: domain %d counted to %lu instead of %lu\n", domain, seen, seed + 1);
        exit(1);
    }
}

static void destroy(uint16_t domain)
{
    domctl_begin(2, domain);
    domctl("destroydomain");
    domctl_begin(5, domain);
    if (domctl_try() == 0 && get(8, 2) == domain) {
        fprintf(stderr, "domains: domain %d is still there\n", domain);
        exit(1);
    }
}

static void cycle(uint64_t *frames, unsigned pages, uint64_t seed)
{
    uint16_t domain = create();
    set(15, domain, 1, "max_vcpus");
    set(11, domain, pages * 4UL + 1024, "max_mem");
    open_port(domain);
    open_port(domain);
    populate(domain, frames, pages);
    build(domain, frames, seed);
    pin(domain, frames[ROOT]);
    seed_grants(domain, frames[DATA]);
    set_context(domain, frames[ROOT]);
    set(4, domain, 0, "unpausedomain");
    await_end(domain);
    check_counter(domain, frames[DATA], seed);
    destroy(domain);
}

int main(int count, char **arguments)
{
    unsigned cycles = count > 1 ? (unsigned)atoi(arguments[1]) : 1;
    unsigned pages = count > 2 ? (unsigned)atoi(arguments[2]) : 64;
    privcmd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
    int memory = open("/dev/xen/hypercall", O_RDWR | O_CLOEXEC);
    if (privcmd < 0 || memory < 0) {
        fail("/dev/xen");
    }
    structure = mmap(NULL, (1 + BUFFER_PAGES) * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    uint64_t *frames = calloc(pages, 8);
    if (structure == MAP_FAILED || frames == NULL || pages < FIRST_PAGES) {
        fail("memory");
    }
    buffer = structure + PAGE;

    // The hypervisor's tables grow until all numbers of domains have been used once, and with the first of each kind of page.
    cycle(frames, pages, 0);
    for (uint16_t last = 0, domain = 1; domain > last;) {
        last = domain;
        domain = create();
        destroy(domain);
    }
    uint64_t before = free_pages();
    for (unsigned i = 1; i <= cycles; i++) {
        cycle(frames, pages, i);
    }
    uint64_t after = free_pages();
    printf("domains: %s, %u cycles, free pages %lu before and %lu after\n", before == after ? "ok" : "a leak", cycles, before, after);
    return before == after ? 0 : 1;
}
