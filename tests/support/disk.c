// A disk that can be told to fail: preloaded into a real process, it sees every call that changes files below one
// folder, SQLite's too. It can write them to a log, end the process at one of them, or let one of them fail.
//
// An event is "<what> <where>": what is make, write, cut, flush, flush-folder, rename, remove, folder, link, symlink;
// where is the first part of the path below FOLDER/BASE, without what comes after its first dot.
//   kill  "event|before" or "|half" or "|after", then "|N": SIGKILL at the Nth of them
//   fail  "event|ERRNO|FIRST|COUNT;...": so many of them from the FIRST on fail; the event "write *" is any place's
//   slow  microseconds that each flush takes longer
//   log   one record for each call that succeeded: u8 what, u64 inode, i64 offset, u32, u32, path, path or bytes
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define KINDS 256
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static int armed, logging = -1;
static char root[PATH_MAX], base_name[128], kill_event[128], kill_when[16], fails[4096];
static unsigned kill_at, slow;
static struct { char event[128]; unsigned count; } seen[KINDS];

#define REAL(type, name, ...) \
  static type (*real)(__VA_ARGS__); \
  if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static int real_lstat(const char *path, struct stat *about) { return fstatat(AT_FDCWD, path, about, AT_SYMLINK_NOFOLLOW); }

static ssize_t plain_write(int fd, const void *data, size_t size) {
  REAL(ssize_t, "write", int, const void *, size_t);
  return real(fd, data, size);
}

static int plain_open(const char *path, int flags) {
  REAL(int, "open", const char *, int, ...);
  return real(path, flags, 0644);
}

void disk_arm(const char *folder, const char *base, const char *log, const char *kill_spec, const char *fail_spec,
              unsigned slow_us) {
  snprintf(root, sizeof root, "%s", folder);
  snprintf(base_name, sizeof base_name, "%s", base ? base : "");
  snprintf(fails, sizeof fails, "%s", fail_spec ? fail_spec : "");
  kill_event[0] = 0;
  if (kill_spec && *kill_spec) sscanf(kill_spec, "%127[^|]|%15[^|]|%u", kill_event, kill_when, &kill_at);
  slow = slow_us;
  memset(seen, 0, sizeof seen);
  if (log && *log) logging = plain_open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC);
  armed = 1;
}

__attribute__((constructor)) static void from_environment(void) {
  const char *folder = getenv("DISK_FOLDER");
  if (folder) disk_arm(folder, getenv("DISK_BASE"), getenv("DISK_LOG"), getenv("DISK_KILL"), getenv("DISK_FAIL"), 0);
}

// ---------------------------------------------------------------- what and where

static int full_path(int dirfd, const char *path, char *out) {
  char link[64], base[PATH_MAX];
  if (path && path[0] == '/') { snprintf(out, PATH_MAX, "%s", path); return 1; }
  if (dirfd == AT_FDCWD) { if (!getcwd(base, sizeof base)) return 0; }
  else {
    snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
    ssize_t size = readlink(link, base, sizeof base - 1);
    if (size <= 0) return 0;
    base[size] = 0;
  }
  if (path && *path) return snprintf(out, PATH_MAX, "%s/%s", base, path) < PATH_MAX;
  snprintf(out, PATH_MAX, "%s", base);
  return 1;
}

static const char *inside(const char *path) {
  size_t size = strlen(root);
  if (strncmp(path, root, size) || (path[size] && path[size] != '/') || strstr(path, "-shm")) return NULL;
  return path[size] ? path + size + 1 : path + size;
}

static int ours(int dirfd, const char *path, char *out) { return armed && full_path(dirfd, path, out) && inside(out); }
static int ours_fd(int fd, char *out) { return armed && fd >= 0 && ours(fd, NULL, out); }

static void name_event(char *event, const char *what, const char *path) {
  const char *where = inside(path);
  size_t base = strlen(base_name), size;
  if (base && !strncmp(where, base_name, base) && (!where[base] || where[base] == '/'))
    where += base + (where[base] == '/');
  size = strcspn(where, "/.");
  if (!strncmp(where, "current.json", 12)) { where = "mark"; size = 4; }
  if (!size) { where = "root"; size = 4; }
  snprintf(event, 128, "%s %.*s", what, (int)size, where);
}

static unsigned count_event(const char *event) {
  for (int i = 0; i < KINDS; i++) {
    if (!seen[i].event[0]) snprintf(seen[i].event, sizeof seen[i].event, "%s", event);
    if (!strcmp(seen[i].event, event)) return ++seen[i].count;
  }
  return 0;
}

static int must_fail(const char *event, unsigned number, unsigned any) {
  char copy[sizeof fails], *rest = NULL;
  snprintf(copy, sizeof copy, "%s", fails);
  for (char *one = strtok_r(copy, ";", &rest); one; one = strtok_r(NULL, ";", &rest)) {
    char wanted[128]; int number_of_error; unsigned first, count;
    if (sscanf(one, "%127[^|]|%d|%u|%u", wanted, &number_of_error, &first, &count) != 4) continue;
    size_t size = strlen(wanted);
    int star = size && wanted[size - 1] == '*';
    unsigned at = star ? any : number;
    if (star ? strncmp(wanted, event, size - 1) : strcmp(wanted, event)) continue;
    if (at >= first && at - first < count) { errno = number_of_error; return 1; }
  }
  return 0;
}

static void die(void) { kill(getpid(), SIGKILL); for (;;) pause(); }

// 0: go on; 1: it fails, errno is set; 2: go on, then die; 3: go on by half, then die.
static int judge(const char *what, const char *path) {
  char event[128], every[128];
  name_event(event, what, path);
  snprintf(every, sizeof every, "%s *", what);
  unsigned number = count_event(event), any = count_event(every);
  if (kill_event[0] && !strcmp(kill_event, event) && number == kill_at) {
    if (!strcmp(kill_when, "before")) die();
    return !strcmp(kill_when, "half") ? 3 : 2;
  }
  return must_fail(event, number, any);
}

static void note(char what, uint64_t inode, int64_t offset, const char *a, const void *b, uint32_t b_size) {
  if (logging < 0) return;
  int before = errno;
  uint32_t a_size = a ? strlen(a) : 0;
  size_t size = 25 + a_size + b_size;
  char *record = malloc(size);
  record[0] = what;
  memcpy(record + 1, &inode, 8);
  memcpy(record + 9, &offset, 8);
  memcpy(record + 17, &a_size, 4);
  memcpy(record + 21, &b_size, 4);
  if (a_size) memcpy(record + 25, a, a_size);
  if (b_size) memcpy(record + 25 + a_size, b, b_size);
  if (plain_write(logging, record, size) != (ssize_t)size) abort();
  free(record);
  errno = before;
}

static uint64_t inode_of(int fd) { struct stat about; return fstat(fd, &about) ? 0 : about.st_ino; }

#define ENTER pthread_mutex_lock(&lock)
#define LEAVE(value) do { int e_ = errno; pthread_mutex_unlock(&lock); errno = e_; return value; } while (0)
#define ASK(what, path) int verdict = judge(what, path); if (verdict == 1) LEAVE(-1)
#define AFTER if (verdict >= 2) die()

// ---------------------------------------------------------------- making and opening

static int open_it(int dirfd, const char *path, int flags, mode_t mode) {
  REAL(int, "openat", int, const char *, int, ...);
  char full[PATH_MAX];
  if (!(flags & (O_CREAT | O_TRUNC)) || (flags & O_TMPFILE) == O_TMPFILE || !ours(dirfd, path, full))
    return real(dirfd, path, flags, mode);
  ENTER;
  struct stat about;
  int there = !real_lstat(full, &about), fd;
  if (!there && (flags & O_CREAT)) {
    ASK("make", full);
    fd = real(dirfd, path, flags, mode);
    if (fd >= 0) note('C', inode_of(fd), 0, full, NULL, 0);
    AFTER;
  } else if (there && (flags & O_TRUNC)) {
    ASK("cut", full);
    fd = real(dirfd, path, flags, mode);
    if (fd >= 0) note('T', inode_of(fd), 0, full, NULL, 0);
    AFTER;
  } else fd = real(dirfd, path, flags, mode);
  LEAVE(fd);
}

#define MODE va_list list; va_start(list, flags); mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; va_end(list)
int open(const char *path, int flags, ...) { MODE; return open_it(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE; return open_it(AT_FDCWD, path, flags, mode); }
int openat(int dirfd, const char *path, int flags, ...) { MODE; return open_it(dirfd, path, flags, mode); }
int openat64(int dirfd, const char *path, int flags, ...) { MODE; return open_it(dirfd, path, flags, mode); }

// ---------------------------------------------------------------- bytes

static ssize_t pwrite_it(int fd, const void *data, size_t size, off_t offset) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t);
  char full[PATH_MAX];
  if (!ours_fd(fd, full)) return real(fd, data, size, offset);
  ENTER;
  ASK("write", full);
  ssize_t done = real(fd, data, verdict == 3 ? size / 2 : size, offset);
  if (done > 0) note('W', inode_of(fd), offset, full, data, done);
  AFTER;
  LEAVE(done);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return pwrite_it(fd, data, size, offset); }
ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset) { return pwrite_it(fd, data, size, offset); }

// Pieces are one write of the whole, as they are for the kernel.
static ssize_t pwritev_it(int fd, const struct iovec *pieces, int count, off_t offset, int flags) {
  REAL(ssize_t, "pwritev64v2", int, const struct iovec *, int, off_t, int);
  char full[PATH_MAX];
  if (!ours_fd(fd, full)) return real(fd, pieces, count, offset, flags);
  size_t size = 0, at = 0;
  for (int i = 0; i < count; i++) size += pieces[i].iov_len;
  char *data = malloc(size + 1);
  for (int i = 0; i < count; at += pieces[i++].iov_len) memcpy(data + at, pieces[i].iov_base, pieces[i].iov_len);
  ssize_t done = pwrite_it(fd, data, size, offset);
  int error = errno;
  free(data);
  errno = error;
  return done;
}
ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset) { return pwritev_it(fd, pieces, count, offset, 0); }
ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off_t offset) { return pwritev_it(fd, pieces, count, offset, 0); }
ssize_t pwritev2(int fd, const struct iovec *pieces, int count, off_t offset, int flags) { return pwritev_it(fd, pieces, count, offset, flags); }
ssize_t pwritev64v2(int fd, const struct iovec *pieces, int count, off_t offset, int flags) { return pwritev_it(fd, pieces, count, offset, flags); }

ssize_t write(int fd, const void *data, size_t size) {
  char full[PATH_MAX];
  if (!ours_fd(fd, full)) return plain_write(fd, data, size);
  ENTER;
  ASK("write", full);
  off_t offset = fcntl(fd, F_GETFL) & O_APPEND ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
  ssize_t done = plain_write(fd, data, verdict == 3 ? size / 2 : size);
  if (done > 0) note('W', inode_of(fd), offset, full, data, done);
  AFTER;
  LEAVE(done);
}

static void note_copied(int fd, const char *full, off_t offset, size_t size) {
  char link[64], *data = malloc(size);
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  int reading = plain_open(link, O_RDONLY);
  ssize_t got = pread(reading, data, size, offset);
  close(reading);
  if (got > 0) note('W', inode_of(fd), offset, full, data, got);
  free(data);
}

ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *where, size_t size, unsigned flags) {
  REAL(ssize_t, "copy_file_range", int, off64_t *, int, off64_t *, size_t, unsigned);
  char full[PATH_MAX];
  if (!ours_fd(to, full)) return real(from, at, to, where, size, flags);
  ENTER;
  ASK("write", full);
  off_t offset = where ? *where : lseek(to, 0, SEEK_CUR);
  ssize_t done = real(from, at, to, where, size, flags);
  if (done > 0) note_copied(to, full, offset, done);
  AFTER;
  LEAVE(done);
}

static ssize_t send_it(int to, int from, off_t *at, size_t size) {
  REAL(ssize_t, "sendfile64", int, int, off_t *, size_t);
  char full[PATH_MAX];
  if (!ours_fd(to, full)) return real(to, from, at, size);
  ENTER;
  ASK("write", full);
  off_t offset = lseek(to, 0, SEEK_CUR);
  ssize_t done = real(to, from, at, size);
  if (done > 0) note_copied(to, full, offset, done);
  AFTER;
  LEAVE(done);
}
ssize_t sendfile(int to, int from, off_t *at, size_t size) { return send_it(to, from, at, size); }
ssize_t sendfile64(int to, int from, off_t *at, size_t size) { return send_it(to, from, at, size); }

static int cut_it(int fd, off_t size) {
  REAL(int, "ftruncate64", int, off_t);
  char full[PATH_MAX];
  if (!ours_fd(fd, full)) return real(fd, size);
  ENTER;
  ASK("cut", full);
  int done = real(fd, size);
  if (!done) note('T', inode_of(fd), size, full, NULL, 0);
  AFTER;
  LEAVE(done);
}
int ftruncate(int fd, off_t size) { return cut_it(fd, size); }
int ftruncate64(int fd, off64_t size) { return cut_it(fd, size); }

// ---------------------------------------------------------------- flushes

static int flush_it(int fd, int (*real)(int), char all) {
  char full[PATH_MAX];
  if (!ours_fd(fd, full)) return real(fd);
  ENTER;
  struct stat about;
  int folder = !fstat(fd, &about) && S_ISDIR(about.st_mode);
  ASK(folder && !all ? "flush-folder" : "flush", full);
  if (slow) usleep(slow);
  int done = real(fd);
  if (!done) note(all ? 'Y' : folder ? 'D' : 'F', about.st_ino, 0, full, NULL, 0);
  AFTER;
  LEAVE(done);
}
int fsync(int fd) { REAL(int, "fsync", int); return flush_it(fd, real, 0); }
int fdatasync(int fd) { REAL(int, "fdatasync", int); return flush_it(fd, real, 0); }
int syncfs(int fd) { REAL(int, "syncfs", int); return flush_it(fd, real, 1); }

// ---------------------------------------------------------------- names

static int rename_it(int from, const char *old, int to, const char *new, unsigned flags) {
  REAL(int, "renameat2", int, const char *, int, const char *, unsigned);
  char a[PATH_MAX], b[PATH_MAX];
  if (!ours(to, new, b) || !full_path(from, old, a)) return real(from, old, to, new, flags);
  ENTER;
  ASK("rename", b);
  int done = real(from, old, to, new, flags);
  if (!done) note('R', 0, 0, a, b, strlen(b));
  AFTER;
  LEAVE(done);
}
int rename(const char *old, const char *new) { return rename_it(AT_FDCWD, old, AT_FDCWD, new, 0); }
int renameat(int from, const char *old, int to, const char *new) { return rename_it(from, old, to, new, 0); }
int renameat2(int from, const char *old, int to, const char *new, unsigned flags) { return rename_it(from, old, to, new, flags); }

static int unlink_it(int dirfd, const char *path, int flags) {
  REAL(int, "unlinkat", int, const char *, int);
  char full[PATH_MAX];
  struct stat about;
  if (!ours(dirfd, path, full) || real_lstat(full, &about)) return real(dirfd, path, flags);
  ENTER;
  ASK("remove", full);
  int done = real(dirfd, path, flags);
  if (!done) note('U', 0, 0, full, NULL, 0);
  AFTER;
  LEAVE(done);
}
int unlink(const char *path) { return unlink_it(AT_FDCWD, path, 0); }
int unlinkat(int dirfd, const char *path, int flags) { return unlink_it(dirfd, path, flags); }
int rmdir(const char *path) { return unlink_it(AT_FDCWD, path, AT_REMOVEDIR); }

static int mkdir_it(int dirfd, const char *path, mode_t mode) {
  REAL(int, "mkdirat", int, const char *, mode_t);
  char full[PATH_MAX];
  struct stat about;
  if (!ours(dirfd, path, full) || !real_lstat(full, &about)) return real(dirfd, path, mode);
  ENTER;
  ASK("folder", full);
  int done = real(dirfd, path, mode);
  if (!done) note('M', 0, 0, full, NULL, 0);
  AFTER;
  LEAVE(done);
}
int mkdir(const char *path, mode_t mode) { return mkdir_it(AT_FDCWD, path, mode); }
int mkdirat(int dirfd, const char *path, mode_t mode) { return mkdir_it(dirfd, path, mode); }

static int link_it(int from, const char *old, int to, const char *new, int flags) {
  REAL(int, "linkat", int, const char *, int, const char *, int);
  char a[PATH_MAX], b[PATH_MAX];
  if (!ours(to, new, b) || !full_path(from, old, a)) return real(from, old, to, new, flags);
  ENTER;
  ASK("link", b);
  int done = real(from, old, to, new, flags);
  if (!done) note('L', 0, 0, a, b, strlen(b));
  AFTER;
  LEAVE(done);
}
int link(const char *old, const char *new) { return link_it(AT_FDCWD, old, AT_FDCWD, new, 0); }
int linkat(int from, const char *old, int to, const char *new, int flags) { return link_it(from, old, to, new, flags); }

static int symlink_it(const char *target, int dirfd, const char *path) {
  REAL(int, "symlinkat", const char *, int, const char *);
  char full[PATH_MAX];
  if (!ours(dirfd, path, full)) return real(target, dirfd, path);
  ENTER;
  ASK("symlink", full);
  int done = real(target, dirfd, path);
  if (!done) note('S', 0, 0, full, target, strlen(target));
  AFTER;
  LEAVE(done);
}
int symlink(const char *target, const char *path) { return symlink_it(target, AT_FDCWD, path); }
int symlinkat(const char *target, int dirfd, const char *path) { return symlink_it(target, dirfd, path); }
