/* Makes writes below a folder fail: loaded before the C library (LD_PRELOAD), quiet until faults_arm is called.

   mode 1: the n-th write and all after it fail with `error` (a full disk). mode 2: the n-th alone fails (a bad block).
   mode 3: the n-th alone writes half of its bytes and says so. faults_seen: how many writes there were since. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int mode, nth, code, seen;
static char folder[4096];

void faults_arm(int new_mode, int n, int error, const char *below) {
  mode = new_mode, nth = n, code = error, seen = 0;
  strncpy(folder, below, sizeof folder - 1);
}
int faults_seen(void) { return seen; }

/* 0: as always; 1: fail; 2: half. */
static int fate(int fd) {
  char link[64], path[4096];
  if (!mode) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  if (strncmp(path, folder, strlen(folder))) return 0;
  seen++;
  if (mode == 1 ? seen < nth : seen != nth) return 0;
  errno = code;
  return mode == 3 ? 2 : 1;
}
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define HALF(n) ((n) > 1 ? (n) / 2 : (n))

ssize_t write(int fd, const void *data, size_t n) {
  int now = fate(fd);
  return now == 1 ? -1 : REAL(write)(fd, data, now ? HALF(n) : n);
}
ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
  int now = fate(fd);
  return now == 1 ? -1 : REAL(pwrite)(fd, data, now ? HALF(n) : n, at);
}
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
  int now = fate(fd);
  return now == 1 ? -1 : REAL(pwrite64)(fd, data, now ? HALF(n) : n, at);
}
size_t fwrite(const void *data, size_t size, size_t n, FILE *stream) {
  int now = fate(fileno(stream));
  return now == 1 ? 0 : REAL(fwrite)(data, size, now ? HALF(n) : n, stream);
}
int fsync(int fd) { return fate(fd) == 1 ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return fate(fd) == 1 ? -1 : REAL(fdatasync)(fd); }
int ftruncate(int fd, off_t length) { return fate(fd) == 1 ? -1 : REAL(ftruncate)(fd, length); }
int ftruncate64(int fd, off64_t length) { return fate(fd) == 1 ? -1 : REAL(ftruncate64)(fd, length); }
