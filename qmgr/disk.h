/*
 * File system calls that may take long (directory syncs, the freeing of large
 * files), done by a helper thread so that the loop never waits for them.
 * Orders are carried out one after the other; each tells its end in the loop.
 */
#ifndef QMGR_DISK_H
#define QMGR_DISK_H

#include <stdint.h>

#include "str.h"

struct disk;

/*
 * status: 0 or -errno. fd: the new file of disk_create (the receiver's), -1
 * for the others. number: as given with the order.
 */
typedef void disk_done_fn(void *arg, uint64_t number, int status, int fd);

/* Starts the thread. Never NULL. */
struct disk *disk_new(void);

/* Waits for the orders that are left; their ends are told with what became
 * of them. Orders given meanwhile are forgotten. */
void disk_free(struct disk **d);

/* A new, empty file, open for reading and writing, its entry durable. -EEXIST
 * when there is one. */
void disk_create(struct disk *d, const char *path, disk_done_fn *fn, void *arg,
    uint64_t number);

/* Removes a file (a missing one is no error) and makes that durable. fn may
 * be NULL. */
void disk_remove(struct disk *d, const char *path, disk_done_fn *fn, void *arg,
    uint64_t number);

/* The same without a sync: the file may be back after a power cut. */
void disk_remove_lazily(struct disk *d, const char *path);

/* Replaces the content of a small file as a whole, durably. */
void disk_replace(struct disk *d, const char *path, struct str content,
    disk_done_fn *fn, void *arg, uint64_t number);

/*
 * Calls task(job) in the thread, which must touch nothing else of the process;
 * its result is the status. job (from mem_alloc) is freed after fn, which may
 * be NULL.
 */
void disk_run(struct disk *d, int (*task)(void *job), void *job,
    disk_done_fn *fn, void *arg, uint64_t number);

#endif
