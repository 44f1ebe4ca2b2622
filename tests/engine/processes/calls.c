// Tries what the program in a container must not do, and prints the number of the error for each, 0 without one.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static char buffer[4096];

static void print(const char *name, long result) {
    printf("%s %d\n", name, result < 0 ? errno : 0);
}

#define TRY(name, ...) print(name, syscall(__VA_ARGS__))

static void open_node(const char *name, const char *path, int kind, int major, int minor) {
    if (mknod(path, kind | 0666, makedev(major, minor)) < 0) {
        print(name, -1);
        return;
    }
    int descriptor = open(path, O_RDONLY | O_NONBLOCK);
    print(name, descriptor);
    close(descriptor);
    unlink(path);
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    TRY("unshare-fs", SYS_unshare, CLONE_FS);
    // With the capability SYS_ADMIN this makes a second process, which must not go on: it would make one more below, and
    // if it ended first, this process would inherit that one and get a signal. A traced process stops at each signal,
    // and after "ptrace-me" nobody would let it go on.
    long second = syscall(SYS_clone3, buffer, 88);
    if (second == 0)
        _exit(0);
    print("clone3", second);
    TRY("setns", SYS_setns, -1, 0);
    TRY("mount", SYS_mount, "none", "/tmp", "tmpfs", 0, 0);
    TRY("umount2", SYS_umount2, "/proc", 2);
    TRY("open_tree", 428, -100, "/", 1);
    TRY("fsopen", 430, "tmpfs", 0);
    TRY("mount_setattr", 442, -100, "/", 0, buffer, 32);
    TRY("pivot_root", SYS_pivot_root, "/", "/");
    TRY("keyctl", SYS_keyctl, 0, -3, 0);
    TRY("add_key", SYS_add_key, "user", "name", "x", 1, -3);
    TRY("request_key", SYS_request_key, "user", "name", 0, -3);
    TRY("kcmp", SYS_kcmp, 1, 1, 0, 0, 0);
    TRY("pidfd_getfd", 438, -1, 0, 0);
    TRY("bpf", SYS_bpf, 0, buffer, 48);
    TRY("perf_event_open", SYS_perf_event_open, buffer, 0, -1, -1, 0);
    TRY("userfaultfd", SYS_userfaultfd, 1);
    TRY("io_uring_setup", 425, 1, buffer);
    TRY("open_by_handle_at", SYS_open_by_handle_at, -1, buffer, 0);
    TRY("init_module", SYS_init_module, buffer, 0, "");
    TRY("kexec_load", SYS_kexec_load, 0, 0, 0, 0);
    TRY("reboot", SYS_reboot, 0, 0, 0, 0);
    TRY("acct", SYS_acct, "/x");
    TRY("sethostname", SYS_sethostname, "x", 1);
    TRY("syslog", SYS_syslog, 3, buffer, 10);
    TRY("personality", SYS_personality, 0x0040000);
    TRY("personality-query", SYS_personality, 0xffffffff);
    TRY("socket-vsock", SYS_socket, 40, 1, 0);
    TRY("socket-inet", SYS_socket, 2, 1, 0);
    TRY("move_pages", SYS_move_pages, 0, 0, 0, 0, 0, 0);
    TRY("fanotify_init", SYS_fanotify_init, 0, 0);
    TRY("ptrace-me", SYS_ptrace, 0, 0, 0, 0);
    TRY("newer-than-the-profile", 600, 0);
    open_node("kmsg", "/kmsg", S_IFCHR, 1, 11);
    open_node("kmsg-in-dev", "/dev/kmsg", S_IFCHR, 1, 11);
    open_node("kmsg-in-volume", "/volume/kmsg", S_IFCHR, 1, 11);
    open_node("memory", "/memory", S_IFCHR, 1, 1);
    open_node("fuse", "/fuse", S_IFCHR, 10, 229);
    open_node("disk", "/disk", S_IFBLK, 254, 0);
    open_node("null", "/null", S_IFCHR, 1, 3);
    // These come last: with the capability SYS_ADMIN they succeed, and the process has no privileges any more.
    long child = syscall(SYS_clone, CLONE_NEWUSER, 0, 0, 0, 0);
    if (child == 0)
        _exit(0);
    print("clone-newuser", child);
    TRY("unshare-user", SYS_unshare, CLONE_NEWUSER);
    return 0;
}
