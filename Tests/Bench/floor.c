// The floor under `apus run`: what the kernel takes to start a container and to clear it away
// with nothing around it. No state, no log, no seccomp, no capabilities, no signal handling.
//
//   floor ROOT COMMAND [ARGUMENT]...        as root
//
// Namespaces: pid, mount, network, uts, ipc. Cgroups: one on v2; memory, pids and cpu on v1.
// Mounts: the root on itself, proc, sysfs (read-only), a tmpfs for /dev with its six nodes.
// A container of Apus, crun or runc also has devpts, mqueue and shm: theirs to pay for, not the floor's.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(call) do { if ((call) < 0) { fprintf(stderr, "floor: %s: %s\n", #call, strerror(errno)); _exit(125); } } while (0)

static char cgroups[3][64];
static int cgroupCount;

static void enter(const char *root, char **command) {
    static const struct { const char *name; int minor; } nodes[] = {
        {"null", 3}, {"zero", 5}, {"full", 7}, {"random", 8}, {"urandom", 9},
    };
    char path[4096];
    CHECK(mount(0, "/", 0, MS_REC | MS_PRIVATE, 0));
    CHECK(mount(root, root, 0, MS_BIND | MS_REC, 0));
    CHECK(chdir(root));
    CHECK(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0));
    CHECK(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"));
    CHECK(mount("sysfs", "sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, 0));
    umask(0);
    for (unsigned i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        snprintf(path, sizeof path, "dev/%s", nodes[i].name);
        CHECK(mknod(path, S_IFCHR | 0666, makedev(1, nodes[i].minor)));
    }
    CHECK(mknod("dev/tty", S_IFCHR | 0666, makedev(5, 0)));
    umask(022);
    CHECK(syscall(SYS_pivot_root, ".", "."));
    CHECK(umount2(".", MNT_DETACH));
    CHECK(chdir("/"));
    CHECK(sethostname("floor", 5));
    execv(command[0], command);
    CHECK(-1);
}

int main(int argc, char **argv) {
    if (argc < 3) { fprintf(stderr, "usage: floor ROOT COMMAND [ARGUMENT]...\n"); return 125; }
    struct clone_args args = {
        .flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC, .exit_signal = SIGCHLD,
    };
    int isV2 = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
    static const char *const v1[] = {"memory", "pids", "cpu"};
    int joins[3];
    for (cgroupCount = 0; cgroupCount < (isV2 ? 1 : 3); cgroupCount++) {
        char *path = cgroups[cgroupCount], file[96];
        snprintf(path, sizeof *cgroups, "/sys/fs/cgroup/%s%sfloor-%d", isV2 ? "" : v1[cgroupCount], isV2 ? "" : "/", getpid());
        CHECK(mkdir(path, 0755));
        snprintf(file, sizeof file, "%s/cgroup.procs", path);
        CHECK(joins[cgroupCount] = isV2 ? open(path, O_DIRECTORY | O_CLOEXEC) : open(file, O_WRONLY | O_CLOEXEC));
    }
    if (isV2) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = joins[0];
    }
    pid_t child = syscall(SYS_clone3, &args, sizeof args);
    CHECK(child);
    if (child == 0) {
        for (int i = 0; !isV2 && i < 3; i++) CHECK(write(joins[i], "0", 1));
        enter(argv[1], argv + 2);
    }
    int status;
    CHECK(waitpid(child, &status, 0));
    for (int i = 0; i < cgroupCount; i++) CHECK(rmdir(cgroups[i]));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
