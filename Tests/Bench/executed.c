// Prints the address of each 16 bytes of a program's text in the order in which they are first executed, by it and by its
// children until they execute another program. Every instruction is a stop of ptrace(2): what takes 5 ms takes a minute.
//
//     executed OUTPUT PROGRAM [ARGUMENT…]
//
// The program must be linked statically and to fixed addresses below 64 MiB.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { limit = 64 << 20, piece = 16 };

static unsigned char seen[limit / piece];

static void record(pid_t pid, FILE *output) {
    struct user_regs_struct registers;
    if (ptrace(PTRACE_GETREGS, pid, 0, &registers) != 0 || registers.rip >= limit) return;
    unsigned char *mark = &seen[registers.rip / piece];
    if (!*mark) fprintf(output, "%016llx\n", registers.rip);
    *mark = 1;
}

int main(int count, char **arguments) {
    FILE *output = count > 2 ? fopen(arguments[1], "w") : NULL;
    if (!output) return 2;
    pid_t program = fork();
    if (program == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        execv(arguments[2], arguments + 2);
        _exit(127);
    }
    int status;
    waitpid(program, &status, 0);
    ptrace(PTRACE_SETOPTIONS, program, 0,
           PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC);
    ptrace(PTRACE_SINGLESTEP, program, 0, 0);
    for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0;) {
        if (!WIFSTOPPED(status)) {
            if (pid == program) break;
            continue;
        }
        int signal = WSTOPSIG(status), event = status >> 16;
        if (event == PTRACE_EVENT_EXEC) {
            ptrace(PTRACE_DETACH, pid, 0, 0);
            continue;
        }
        record(pid, output);
        // A new child begins with SIGSTOP; the steps themselves are SIGTRAP. All else is the program's.
        int passed = event || signal == SIGTRAP || signal == SIGSTOP ? 0 : signal;
        ptrace(PTRACE_SINGLESTEP, pid, 0, passed);
    }
    return fclose(output) == 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
