# Memory for the heaps of one table's segments, in runs of whole pages.
#
# A heap that is freed must leave nothing behind: after half of the keys are deleted, half of the heaps go, and what
# lies around stays. From malloc a heap begins and ends in the middle of a page, and keeps both; with what malloc
# can't join, that was half as much again as the keys that were left (77 bytes a key of 16 bytes, where a fresh table
# takes 50). Having malloc search for pages to give back (`malloc_trim`) stops a thread for 25 ms where four million
# keys were. So heaps lie in regions of the table's own, each a multiple of a page, and the pages of one that goes are
# given back to the system at once, in place. Address space is not: runs are never joined, only kept for heaps of the
# same class. There are four classes to a doubling, and pages nobody touches cost nothing, so rounding up is free.
#
# What is smaller than LEAST pages comes from malloc, what is bigger than MOST from the system, each by itself.
#
# The functions are inline, so that each becomes part of the modules that use it. Only the owner of the table calls.

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memset

cdef extern from *:
    """
    #ifndef NOGIL_DF_PAGES
    #define NOGIL_DF_PAGES
    #include <stdint.h>
    #include <stdlib.h>
    #if !defined(_WIN32)
    #include <sys/mman.h>
    #endif

    /* Pages of the system, not yet there; NULL if there are none to be had. */
    static inline char *df_map(size_t size) {
    #if defined(_WIN32)
        return (char *)malloc(size);
    #else
        void *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return block == MAP_FAILED ? NULL : (char *)block;
    #endif
    }

    static inline void df_unmap(char *block, size_t size) {
    #if defined(_WIN32)
        (void)size;
        free(block);
    #else
        (void)munmap(block, size);
    #endif
    }

    /* Give what lies in these pages back; they stay mapped. */
    static inline void df_forget(char *block, size_t size) {
    #if defined(MADV_DONTNEED)
        (void)madvise(block, size, MADV_DONTNEED);
    #else
        (void)block;
        (void)size;
    #endif
    }

    static inline int df_highest_bit(uint64_t word) {
        int bit = 0;
        while (word >>= 1)
            bit++;
        return bit;
    }
    #endif
    """
    char *df_map(size_t size) noexcept
    void df_unmap(char *block, size_t size) noexcept
    void df_forget(char *block, size_t size) noexcept
    int df_highest_bit(uint64_t word) noexcept

cdef enum:
    PAGE = 4096
    LEAST = 4  # pages of the shortest run
    MOST = 512  # of the longest
    CLASSES = 29  # 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, ... 512 pages
    FIRST_REGION = 1 << 21  # bytes, enough for the longest run; each region is twice as big as the one before
    LAST_REGION = 1 << 26

cdef struct Region:
    char *start
    uint64_t size
    Region *before

cdef struct FreeRuns:
    char **runs
    uint32_t count
    uint32_t capacity

cdef struct Pages:
    Region *last
    char *next  # what of the last region nobody has taken
    char *end
    FreeRuns free_runs[CLASSES]
    bint closing  # all of it is about to go: nothing has to be kept in order


# The class of the shortest run of so many pages or more, LEAST to MOST.
cdef inline int class_of(uint64_t pages) noexcept:
    cdef int shift
    if pages <= 2 * LEAST:
        return <int> pages - LEAST
    shift = df_highest_bit(pages - 1) - 2
    return 4 * shift + <int> (pages - 1 >> shift) - 3


cdef inline uint64_t pages_of(int kind) noexcept:
    if kind <= LEAST:
        return kind + LEAST
    return <uint64_t> ((kind - 1) % 4 + 5) << (kind - 1) // 4


# A heap of at least so many bytes; `capacity` tells how many it has become. NULL if there is no memory.
cdef inline char *take_heap(Pages *pages, uint64_t *capacity) noexcept:
    cdef uint64_t wanted = (capacity[0] + PAGE - 1) // PAGE
    cdef int kind
    cdef FreeRuns *runs
    cdef char *run
    if wanted < LEAST:
        return <char *> malloc(capacity[0])
    if wanted > MOST:
        capacity[0] = wanted * PAGE
        return df_map(wanted * PAGE)
    kind = class_of(wanted)
    wanted = pages_of(kind) * PAGE
    capacity[0] = wanted
    runs = &pages.free_runs[kind]
    if runs.count:
        runs.count -= 1
        return runs.runs[runs.count]
    if <uint64_t> (pages.end - pages.next) < wanted and not add_region(pages):
        return NULL
    run = pages.next
    pages.next += wanted
    return run


cdef inline bint add_region(Pages *pages) noexcept:
    cdef uint64_t size = FIRST_REGION
    cdef Region *region = <Region *> malloc(sizeof(Region))
    if region is NULL:
        return False
    if pages.last is not NULL:
        size = min(2 * pages.last.size, <uint64_t> LAST_REGION)
    region.size = size
    region.start = df_map(region.size)
    if region.start is NULL:
        free(region)
        return False
    region.before = pages.last
    pages.last = region
    pages.next, pages.end = region.start, region.start + region.size
    return True


# Take a heap back. What is in it goes back to the system at once.
cdef inline void give_heap(Pages *pages, char *heap, uint64_t capacity) noexcept:
    cdef uint64_t count = capacity // PAGE
    if count < LEAST:
        free(heap)
    elif count > MOST:
        df_unmap(heap, capacity)
    elif not pages.closing:
        put_run(pages, heap, class_of(count))


cdef inline void put_run(Pages *pages, char *run, int kind) noexcept:
    cdef FreeRuns *runs = &pages.free_runs[kind]
    cdef char **more
    df_forget(run, pages_of(kind) * PAGE)
    if runs.count == runs.capacity:
        more = <char **> realloc(runs.runs, (2 * runs.capacity + 8) * sizeof(char *))
        if more is NULL:
            # Nothing is lost but addresses.
            return
        runs.runs = more
        runs.capacity = 2 * runs.capacity + 8
    runs.runs[runs.count] = run
    runs.count += 1


# Give everything back; no heap but those of malloc and of the system is there any more.
cdef inline void drop_pages(Pages *pages) noexcept:
    cdef Region *region = pages.last
    cdef Region *before
    cdef int kind
    while region is not NULL:
        before = region.before
        df_unmap(region.start, region.size)
        free(region)
        region = before
    for kind in range(CLASSES):
        free(pages.free_runs[kind].runs)
    memset(pages, 0, sizeof(Pages))
