/* A clock on the wall that can be set, preloaded: it is `wall_clock_seconds_back` behind the real one. Others go on as they do. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

volatile long wall_clock_seconds_back = 0;

int clock_gettime(clockid_t clock, struct timespec *into) {
  int failed = syscall(SYS_clock_gettime, clock, into);
  if (failed == 0 && clock == CLOCK_REALTIME) into->tv_sec -= wall_clock_seconds_back;
  return failed;
}

int gettimeofday(struct timeval *restrict into, void *restrict zone) {
  struct timespec now;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  into->tv_sec = now.tv_sec;
  into->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *into) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (into) *into = now.tv_sec;
  return now.tv_sec;
}
