// System calls and constants that Swift cannot import by itself. No logic lives here:
// every function is one call, every constant gives a macro a typed name.
#ifndef APUS_CLINUX_H
#define APUS_CLINUX_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/openat2.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/filter.h>
#include <linux/ioprio.h>
#include <malloc.h>
#include <net/if.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

// Numbers that the C library's headers on Debian 12 do not name.
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif

// ---- processes and namespaces ----

// Filters of container engines cannot look into the arguments of clone3 and say that there is none (ENOSYS); clone does
// the same, but for a cgroup to start in and a time namespace.
static inline long apus_clone3(struct clone_args *args) {
    long result = syscall(__NR_clone3, args, sizeof(*args));
    if (result >= 0 || errno != ENOSYS || args->stack || args->flags & (CLONE_INTO_CGROUP | 0x80 /* CLONE_NEWTIME */))
        return result;
    return syscall(__NR_clone, args->flags | args->exit_signal, 0, args->pidfd, 0, 0);
}
// As clone3, but the child starts in `body` on the stack that `args` names, which it must never leave: what
// CLONE_VM needs, since a child that returned into its parent's frames would destroy them.
static inline long apus_clone3_on_stack(struct clone_args *args, void (*body)(void *), void *context) {
    long result;
#if defined(__x86_64__)
    register void (*child_body)(void *) __asm__("r12") = body;
    register void *child_context __asm__("r13") = context;
    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "mov %%r13, %%rdi\n\t"
                     "call *%%r12\n\t"
                     "ud2\n"
                     "1:"
                     : "=a"(result)
                     : "a"((long)__NR_clone3), "D"(args), "S"(sizeof(*args)), "r"(child_body), "r"(child_context)
                     : "rcx", "r11", "memory", "cc");
#elif defined(__aarch64__)
    register long number __asm__("x8") = __NR_clone3;
    register long first __asm__("x0") = (long)args;
    register long second __asm__("x1") = sizeof(*args);
    register void (*child_body)(void *) __asm__("x9") = body;
    register void *child_context __asm__("x10") = context;
    __asm__ volatile("svc #0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, #0\n\t"
                     "mov x0, x10\n\t"
                     "blr x9\n\t"
                     "brk #0\n"
                     "1:"
                     : "+r"(first)
                     : "r"(number), "r"(second), "r"(child_body), "r"(child_context)
                     : "memory", "cc");
    result = first;
#endif
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return result;
}
// A system call that touches nothing but registers: no errno, which a process with shared memory would take from another.
static inline long apus_raw_syscall(long number, long first, long second, long third) {
#if defined(__x86_64__)
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(first), "S"(second), "d"(third)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long call __asm__("x8") = number;
    register long result __asm__("x0") = first;
    register long b __asm__("x1") = second;
    register long c __asm__("x2") = third;
    __asm__ volatile("svc #0" : "+r"(result) : "r"(call), "r"(b), "r"(c) : "memory");
    return result;
#endif
}
static inline int apus_bpf(int command, void *attributes, unsigned size) {
    return (int)syscall(__NR_bpf, command, attributes, size);
}
// What `NetworkPreparation` lets another process do. It runs beside its maker, in the same memory and with the same
// thread-local variables, where nothing of Swift may run: it only makes raw system calls.
struct apus_network_work {
    struct ifreq interface;
    int socket;
    struct iovec byte;
    struct msghdr message;
    // A cmsghdr, and the descriptor behind it.
    struct {
        struct cmsghdr header;
        int descriptor;
    } control;
};
static inline void apus_make_network(void *context) {
    struct apus_network_work *work = context;
    long namespace = -1;
    if (apus_raw_syscall(__NR_unshare, CLONE_NEWNET, 0, 0) == 0) {
        long inet = apus_raw_syscall(__NR_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (apus_raw_syscall(__NR_ioctl, inet, SIOCSIFFLAGS, (long)&work->interface) == 0)
            namespace = apus_raw_syscall(__NR_openat, AT_FDCWD, (long)"/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        apus_raw_syscall(__NR_close, inet, 0, 0);
    }
    work->control.descriptor = (int)namespace;
    if (namespace < 0) work->message.msg_controllen = 0;
    apus_raw_syscall(__NR_sendmsg, work->socket, (long)&work->message, MSG_NOSIGNAL);
    apus_raw_syscall(__NR_close, namespace, 0, 0);
    for (;;) apus_raw_syscall(__NR_exit, 0, 0, 0);
}
static inline int apus_setns(int fd, int types) { return setns(fd, types); }
static inline int apus_unshare(int flags) { return unshare(flags); }
static inline int apus_pidfd_open(pid_t pid, unsigned flags) { return (int)syscall(__NR_pidfd_open, pid, flags); }
static inline int apus_pidfd_send_signal(int pidfd, int signal) {
    return (int)syscall(__NR_pidfd_send_signal, pidfd, signal, NULL, 0);
}
static inline int apus_close_range(unsigned first, unsigned last, unsigned flags) {
    return (int)syscall(__NR_close_range, first, last, flags);
}
static inline int apus_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
    return prctl(option, a, b, c, d);
}
static inline int apus_execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags) {
    return (int)syscall(__NR_execveat, fd, path, argv, envp, flags);
}
static inline long apus_keyctl_join_session(const char *name) {
    return syscall(__NR_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, name);
}
static inline int apus_setgroups(size_t count, const gid_t *groups) {
    // The raw call: this process has one thread, and glibc's wrapper would look for more.
    return (int)syscall(__NR_setgroups, count, groups);
}
static inline int apus_setresgid(gid_t id) { return (int)syscall(__NR_setresgid, id, id, id); }
static inline int apus_setresuid(uid_t id) { return (int)syscall(__NR_setresuid, id, id, id); }
static inline int apus_sethostname(const char *name, size_t length) { return sethostname(name, length); }
static inline int apus_setdomainname(const char *name, size_t length) { return setdomainname(name, length); }
static inline int apus_personality(unsigned long persona) { return personality(persona); }
static inline int apus_prlimit(pid_t pid, int resource, const struct rlimit *set, struct rlimit *old) {
    return prlimit(pid, (enum __rlimit_resource)resource, set, old);
}
static inline int apus_ioprio_set(int which, int who, int value) {
    return (int)syscall(__NR_ioprio_set, which, who, value);
}
// As linux/sched/types.h has it, which cannot be included beside the C library's sched.h.
struct apus_sched_attr {
    unsigned size;
    unsigned policy;
    unsigned long long flags;
    int nice;
    unsigned priority;
    unsigned long long runtime;
    unsigned long long deadline;
    unsigned long long period;
    unsigned util_min;
    unsigned util_max;
};
static inline int apus_sched_setattr(const struct apus_sched_attr *attributes) {
    return (int)syscall(__NR_sched_setattr, 0, attributes, 0);
}
static inline int apus_sched_setaffinity(const unsigned long *mask, size_t bytes) {
    return (int)syscall(__NR_sched_setaffinity, 0, bytes, mask);
}
static inline int apus_set_mempolicy(int mode, const unsigned long *nodes, unsigned long bits) {
    return (int)syscall(__NR_set_mempolicy, mode, nodes, bits);
}
static inline int apus_pidfd_getfd(int pidfd, int fd) { return (int)syscall(__NR_pidfd_getfd, pidfd, fd, 0); }
// `environ` is a variable that Swift cannot use safely: its strings are overwritten, where /proc/PID/environ shows them.
static inline void apus_clear_environment(void) {
    for (char **variable = environ; variable && *variable; variable++) memset(*variable, 0, strlen(*variable));
}
static inline char **apus_environment(void) { return environ; }
static inline pid_t apus_fork(void) { return fork(); }
static inline pid_t apus_gettid(void) { return (pid_t)syscall(__NR_gettid); }

static const int apus_wait_all = __WALL;
static inline int apus_wifexited(int status) { return WIFEXITED(status); }
static inline int apus_wexitstatus(int status) { return WEXITSTATUS(status); }
static inline int apus_wifsignaled(int status) { return WIFSIGNALED(status); }
static inline int apus_wtermsig(int status) { return WTERMSIG(status); }
static inline int apus_wcoredump(int status) { return WCOREDUMP(status); }

// A union in the C library's headers, which Swift shows none of.
static inline pid_t apus_siginfo_pid(const siginfo_t *info) { return info->si_pid; }

// _IO(0xb7, 3) of linux/nsfs.h
static const unsigned long APUS_NS_GET_NSTYPE = 0xb703;

// ---- files ----

static inline int apus_open(int directory, const char *path, int flags, mode_t mode) {
    return openat(directory, path, flags, mode);
}
static inline int apus_openat2(int directory, const char *path, struct open_how *how) {
    return (int)syscall(__NR_openat2, directory, path, how, sizeof(*how));
}
static inline int apus_pipe2(int fds[2], int flags) { return pipe2(fds, flags); }
static inline int apus_fcntl_int(int fd, int command, int value) { return fcntl(fd, command, value); }
static inline int apus_ioctl_int(int fd, unsigned long request, int value) { return ioctl(fd, request, value); }
static inline int apus_ioctl_ptr(int fd, unsigned long request, void *value) { return ioctl(fd, request, value); }
static inline unsigned apus_major(dev_t device) { return major(device); }
static inline unsigned apus_minor(dev_t device) { return minor(device); }
static inline dev_t apus_makedev(unsigned major, unsigned minor) { return makedev(major, minor); }
static inline int apus_renameat2(int from, const char *old, int to, const char *new_name, unsigned flags) {
    return (int)syscall(__NR_renameat2, from, old, to, new_name, flags);
}

// Whether the working directory can be reached from this process' root: the kernel writes "(unreachable)" before others.
static inline int apus_is_below_root(void) {
    char path[PATH_MAX];
    long length = syscall(__NR_getcwd, path, sizeof(path));
    return length > 0 && path[0] == '/';
}

static inline int apus_eventfd(unsigned value, int flags) { return eventfd(value, flags); }

// Sockets: the C library declares their addresses as a union of pointers, which Swift cannot pass.
static inline int apus_bind_unix(int fd, const struct sockaddr_un *address) {
    return bind(fd, (const struct sockaddr *)address, sizeof(*address));
}
static inline int apus_connect_unix(int fd, const struct sockaddr_un *address) {
    return connect(fd, (const struct sockaddr *)address, sizeof(*address));
}
// An address of any family, by its bytes.
static inline int apus_bind_address(int fd, const void *address, unsigned length) {
    return bind(fd, (const struct sockaddr *)address, length);
}
static inline int apus_socket_address(int fd, void *address, unsigned length) {
    return getsockname(fd, (struct sockaddr *)address, &length);
}
static inline int apus_accept(int fd) { return accept4(fd, NULL, NULL, SOCK_CLOEXEC); }

// ---- mounts ----

static inline int apus_mount(const char *source, const char *target, const char *type, unsigned long flags,
                             const char *data) {
    return mount(source, target, type, flags, data);
}
static inline int apus_umount2(const char *target, int flags) { return umount2(target, flags); }
static inline int apus_pivot_root(const char *new_root, const char *put_old) {
    return (int)syscall(__NR_pivot_root, new_root, put_old);
}
static inline int apus_fsopen(const char *type, unsigned flags) { return (int)syscall(__NR_fsopen, type, flags); }
static inline int apus_fsconfig(int fd, unsigned command, const char *key, const void *value, int aux) {
    return (int)syscall(__NR_fsconfig, fd, command, key, value, aux);
}
static inline int apus_fspick(int directory, const char *path, unsigned flags) {
    return (int)syscall(__NR_fspick, directory, path, flags);
}
static inline int apus_fsmount(int fd, unsigned flags, unsigned attributes) {
    return (int)syscall(__NR_fsmount, fd, flags, attributes);
}
static inline int apus_open_tree(int directory, const char *path, unsigned flags) {
    return (int)syscall(__NR_open_tree, directory, path, flags);
}
static inline int apus_move_mount(int from, const char *from_path, int to, const char *to_path, unsigned flags) {
    return (int)syscall(__NR_move_mount, from, from_path, to, to_path, flags);
}
static inline int apus_mount_setattr(int directory, const char *path, unsigned flags, struct mount_attr *attributes) {
    return (int)syscall(__NR_mount_setattr, directory, path, flags, attributes, sizeof(*attributes));
}

// ---- terminals ----

static const unsigned long APUS_TIOCSPTLCK = TIOCSPTLCK;
static const unsigned long APUS_TIOCGPTN = TIOCGPTN;
static const unsigned long APUS_TIOCGPTPEER = TIOCGPTPEER;

// ---- security modules ----

#ifndef __NR_landlock_create_ruleset
#define __NR_landlock_create_ruleset 444
#endif

// LANDLOCK_CREATE_RULESET_VERSION: asks for the interface's version and makes nothing.
static inline int apus_landlock_version(void) {
    return (int)syscall(__NR_landlock_create_ruleset, NULL, 0, 1);
}
// As linux/landlock.h of Linux 6.12 has them; older kernels take the beginning of the first.
struct apus_landlock_ruleset {
    unsigned long long files;
    unsigned long long network;
    unsigned long long scoped;
};
struct apus_landlock_path {
    unsigned long long allowed;
    int parent;
} __attribute__((packed));
#ifndef __NR_landlock_add_rule
#define __NR_landlock_add_rule 445
#endif
#ifndef __NR_landlock_restrict_self
#define __NR_landlock_restrict_self 446
#endif
static inline int apus_landlock_create(const struct apus_landlock_ruleset *ruleset, size_t size) {
    return (int)syscall(__NR_landlock_create_ruleset, ruleset, size, 0);
}
// LANDLOCK_RULE_PATH_BENEATH
static inline int apus_landlock_add_path(int ruleset, const struct apus_landlock_path *rule) {
    return (int)syscall(__NR_landlock_add_rule, ruleset, 1, rule, 0);
}
static inline int apus_landlock_restrict(int ruleset) {
    return (int)syscall(__NR_landlock_restrict_self, ruleset, 0);
}

// ---- seccomp ----

static inline int apus_seccomp(unsigned operation, unsigned flags, void *arguments) {
    return (int)syscall(__NR_seccomp, operation, flags, arguments);
}

#endif
