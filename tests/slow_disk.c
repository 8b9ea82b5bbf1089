/* A slow disk, preloaded: reads of SQLite's database files take `slow_disk_microseconds` longer, while that is not 0. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

volatile int slow_disk_microseconds = 0;
volatile int slow_disk_waits_of_main_thread = 0;

static void wait_for_disk(int file) {
  int wait = slow_disk_microseconds;
  if (wait == 0) return;
  char link[32], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path);
  if (length < 3 || memcmp(path + length - 3, ".db", 3) != 0) return;
  if (syscall(SYS_gettid) == getpid()) slow_disk_waits_of_main_thread++;
  struct timespec pause = {wait / 1000000, wait % 1000000 * 1000L};
  nanosleep(&pause, NULL);
}

ssize_t pread64(int file, void *into, size_t size, off64_t at) {
  wait_for_disk(file);
  return syscall(SYS_pread64, file, into, size, at);
}

ssize_t pread(int file, void *into, size_t size, off_t at) { return pread64(file, into, size, at); }

ssize_t read(int file, void *into, size_t size) {
  wait_for_disk(file);
  return syscall(SYS_read, file, into, size);
}
