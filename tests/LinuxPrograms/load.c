// A mixed load for a kernel: processes, memory, pipes, files, signals, timers and threads at the same time, all results checked.
//
// load ROUNDS: prints "load: ok" and exits 0 when every worker found what it expected; else says which one did not.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int rounds;

static void require(int condition, const char *what)
{
    if (!condition) {
        printf("load: %s (%s)\n", what, strerror(errno));
        exit(1);
    }
}

static uint32_t next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

// Processes that end at once, and processes that become another program.
static void processes(void)
{
    for (int i = 0; i < rounds; i++) {
        int status;
        pid_t child = fork();
        require(child >= 0, "fork");
        if (child == 0) {
            if (i % 4 == 0)
                execl("/bin/busybox", "true", (char *)NULL);
            _exit(i % 4 == 0 ? 1 : i & 63);
        }
        require(waitpid(child, &status, 0) == child && WIFEXITED(status), "waitpid");
        require(WEXITSTATUS(status) == (i % 4 == 0 ? 0 : (i & 63)), "a child's exit status");
    }
}

// Mappings that come, change their protection and go, and what is written into them.
static void memory(void)
{
    enum { PAGES = 256 };
    uint32_t seed = 7;
    for (int i = 0; i < rounds; i++) {
        uint32_t *words = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        require(words != MAP_FAILED, "mmap");
        uint32_t state = seed;
        for (int page = 0; page < PAGES; page++)
            words[page * 1024] = next(&state);
        require(mprotect(words, PAGES * 4096, PROT_READ) == 0, "mprotect to read-only");
        words = mremap(words, PAGES * 4096, PAGES * 8192, MREMAP_MAYMOVE);
        require(words != MAP_FAILED, "mremap");
        require(mprotect(words, PAGES * 8192, PROT_READ | PROT_WRITE) == 0, "mprotect to writable");
        for (int page = 0; page < PAGES; page++)
            require(words[page * 1024] == next(&seed), "a word in memory");
        require(madvise(words, PAGES * 4096, MADV_DONTNEED) == 0 && words[0] == 0, "madvise");
        require(munmap(words, PAGES * 8192) == 0, "munmap");
    }
}

// Copies on write: parent and child see their own words.
static void copies(void)
{
    enum { PAGES = 64 };
    uint32_t *words = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(words != MAP_FAILED, "mmap");
    for (int i = 0; i < rounds / 4 + 1; i++) {
        int status;
        for (int page = 0; page < PAGES; page++)
            words[page * 1024] = (uint32_t)(i + page);
        pid_t child = fork();
        require(child >= 0, "fork");
        if (child == 0) {
            for (int page = 0; page < PAGES; page++) {
                if (words[page * 1024] != (uint32_t)(i + page))
                    _exit(1);
                words[page * 1024] = 0;
            }
            _exit(0);
        }
        require(waitpid(child, &status, 0) == child && status == 0, "a child's copy");
        for (int page = 0; page < PAGES; page++)
            require(words[page * 1024] == (uint32_t)(i + page), "the parent's copy");
    }
}

// Two processes that hand a word to and fro.
static void pipes(void)
{
    int to[2], from[2], status;
    require(pipe(to) == 0 && pipe(from) == 0, "pipe");
    pid_t child = fork();
    require(child >= 0, "fork");
    uint32_t word;
    if (child == 0) {
        close(to[1]);
        while (read(to[0], &word, sizeof word) == sizeof word) {
            word = ~word;
            if (write(from[1], &word, sizeof word) != sizeof word)
                _exit(1);
        }
        _exit(0);
    }
    for (int i = 0; i < rounds * 8; i++) {
        word = (uint32_t)i;
        require(write(to[1], &word, sizeof word) == sizeof word, "write to a pipe");
        require(read(from[0], &word, sizeof word) == sizeof word && word == ~(uint32_t)i, "a word through two pipes");
    }
    close(to[1]);
    require(waitpid(child, &status, 0) == child && status == 0, "the other end of the pipe");
}

// Files that are written, read back, cut and removed.
static void files(void)
{
    enum { WORDS = 16384 };
    static uint32_t out[WORDS], in[WORDS];
    uint32_t state = 99;
    for (int i = 0; i < rounds / 4 + 1; i++) {
        int file = open("/tmp/load-file", O_RDWR | O_CREAT | O_TRUNC, 0600);
        require(file >= 0, "open");
        for (int j = 0; j < WORDS; j++)
            out[j] = next(&state);
        require(write(file, out, sizeof out) == (ssize_t)sizeof out && fsync(file) == 0, "write to a file");
        require(pread(file, in, sizeof in, 0) == (ssize_t)sizeof in && memcmp(in, out, sizeof in) == 0, "what a file holds");
        require(ftruncate(file, 4096) == 0 && lseek(file, 0, SEEK_END) == 4096, "ftruncate");
        close(file);
        require(unlink("/tmp/load-file") == 0, "unlink");
    }
}

static volatile sig_atomic_t alarms;

static void on_alarm(int number) { (void)number; alarms++; }

// An interval timer that interrupts a computation whose result is known.
static void timers(void)
{
    struct sigaction action = { .sa_handler = on_alarm };
    struct itimerval interval = { { 0, 2000 }, { 0, 2000 } }, off = { { 0, 0 }, { 0, 0 } };
    sigaction(SIGALRM, &action, NULL);
    require(setitimer(ITIMER_REAL, &interval, NULL) == 0, "setitimer");
    while (alarms < rounds) {
        double sum = 0;
        for (int i = 1; i <= 20000; i++)
            sum += 1.0 / ((double)i * (i + 1));
        require(sum > 1 - 1.0 / 20001 - 1e-9 && sum < 1 - 1.0 / 20001 + 1e-9, "a sum of fractions");
    }
    setitimer(ITIMER_REAL, &off, NULL);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static int turn;

static void *take_turns(void *argument)
{
    int mine = (int)(intptr_t)argument;
    for (int i = 0; i < rounds; i++) {
        pthread_mutex_lock(&lock);
        while (turn % 4 != mine)
            pthread_cond_wait(&turned, &lock);
        turn++;
        pthread_cond_broadcast(&turned);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

// Threads that wait for each other.
static void threads(void)
{
    pthread_t all[4];
    for (int i = 0; i < 4; i++)
        require(pthread_create(&all[i], NULL, take_turns, (void *)(intptr_t)i) == 0, "pthread_create");
    for (int i = 0; i < 4; i++)
        pthread_join(all[i], NULL);
    require(turn == 4 * rounds, "the threads' turns");
}

int main(int count, char **arguments)
{
    static void (*const workers[])(void) = { processes, memory, copies, pipes, files, timers, threads };
    int bad = 0, status;
    if (count != 2 || (rounds = atoi(arguments[1])) <= 0)
        return 2;
    for (size_t i = 0; i < sizeof workers / sizeof *workers; i++) {
        pid_t child = fork();
        require(child >= 0, "fork");
        if (child == 0) {
            workers[i]();
            exit(0);
        }
    }
    while (wait(&status) > 0)
        bad += status != 0;
    if (bad == 0)
        puts("load: ok");
    return bad != 0;
}
