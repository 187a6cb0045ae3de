#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service.h"

/* ---- system calls ------------------------------------------------------- */

/* What every process needs: memory, time, open descriptors. */
static const int base_calls[] = { SCMP_SYS(read), SCMP_SYS(write),
	SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(preadv),
	SCMP_SYS(preadv2), SCMP_SYS(pwrite64), SCMP_SYS(pwritev),
	SCMP_SYS(pwritev2), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg),
	SCMP_SYS(recvmmsg), SCMP_SYS(sendmmsg), SCMP_SYS(recvfrom),
	SCMP_SYS(sendto), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_create1), SCMP_SYS(poll),
	SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(close),
	SCMP_SYS(futex), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(clock_getres), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday),
	SCMP_SYS(time), SCMP_SYS(getrandom), SCMP_SYS(brk), SCMP_SYS(munmap),
	SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mlock), SCMP_SYS(mlock2),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(fstat), SCMP_SYS(lseek), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(getppid), SCMP_SYS(tgkill), SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(shutdown), SCMP_SYS(fdatasync), SCMP_SYS(fsync),
	SCMP_SYS(ftruncate), SCMP_SYS(fadvise64), SCMP_SYS(dup),
	SCMP_SYS(eventfd2), SCMP_SYS(restart_syscall),
	SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_setaffinity),
	SCMP_SYS(getrusage), SCMP_SYS(uname), SCMP_SYS(sysinfo),
	SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
	SCMP_SYS(getegid), SCMP_SYS(sigaltstack), SCMP_SYS(membarrier),
	SCMP_SYS(memfd_create), SCMP_SYS(getcpu), SCMP_SYS(fcntl),
	SCMP_SYS(set_tid_address) };

static const int connect_calls[] = { SCMP_SYS(connect), SCMP_SYS(bind) };

static const int accept_calls[] = { SCMP_SYS(accept), SCMP_SYS(accept4) };

static const int file_calls[] = { SCMP_SYS(open), SCMP_SYS(openat),
	SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename),
	SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat), SCMP_SYS(rmdir), SCMP_SYS(getdents64),
	SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
	SCMP_SYS(fallocate), SCMP_SYS(statfs), SCMP_SYS(fstatfs),
	SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(access),
	SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(chmod),
	SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(truncate),
	SCMP_SYS(utimensat), SCMP_SYS(getcwd), SCMP_SYS(umask), SCMP_SYS(link),
	SCMP_SYS(linkat) };

/* Libraries probe these; they hear that there is nothing. */
static const int probed_calls[] = { SCMP_SYS(open), SCMP_SYS(openat),
	SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
	SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(statfs), SCMP_SYS(getcwd) };

static const int fork_calls[] = { SCMP_SYS(clone), SCMP_SYS(fork),
	SCMP_SYS(vfork), SCMP_SYS(wait4), SCMP_SYS(waitid),
	SCMP_SYS(socketpair), SCMP_SYS(pipe2), SCMP_SYS(kill), SCMP_SYS(prctl),
	SCMP_SYS(seccomp), SCMP_SYS(landlock_create_ruleset),
	SCMP_SYS(landlock_restrict_self) };

static int
add_calls(scmp_filter_ctx f, const int *calls, size_t n, uint32_t action)
{
	for (size_t i = 0; i < n; i++) {
		int r = seccomp_rule_add(f, action, calls[i], 0);

		if (r < 0 && r != -EEXIST) {
			return r;
		}
	}
	return 0;
}

#define ADD(f, calls, action) add_calls(f, calls, array_len(calls), action)

/* Memory that is written is never executed. */
static int
add_memory(scmp_filter_ctx f)
{
	int r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	if (r == 0) {
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	}
	/* stat of an open descriptor is newfstatat with AT_EMPTY_PATH */
	if (r == 0) {
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
		    SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
	}
	return r;
}

static int
add_threads(scmp_filter_ctx f, unsigned allow)
{
	/* clone3's flags cannot be seen by a filter; glibc falls back. */
	int r =
	    seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	if (r == 0 && (allow & SANDBOX_THREADS) != 0 &&
	    (allow & SANDBOX_FORK) == 0) {
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
		    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	}
	if (r == 0) { /* reading limits: glibc's thread stacks */
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
		    SCMP_A2(SCMP_CMP_EQ, 0));
	}
	if (r == 0) { /* names of threads */
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
		    SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	}
	return r;
}

static int
add_sockets(scmp_filter_ctx f, unsigned allow)
{
	int r = 0;

	if ((allow & SANDBOX_CONNECT) == 0) {
		return seccomp_rule_add(
		    f, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(socket), 0);
	}
	r = ADD(f, connect_calls, SCMP_ACT_ALLOW);
	if (r == 0) {
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
		    SCMP_A0(SCMP_CMP_EQ, AF_INET));
	}
	if (r == 0) {
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
		    SCMP_A0(SCMP_CMP_EQ, AF_INET6));
	}
	if (r == 0) {
		r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EAFNOSUPPORT),
		    SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	}
	if (r == 0) {
		r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EAFNOSUPPORT),
		    SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_NETLINK));
	}
	return r;
}

static int
filter_calls(unsigned allow)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (f == NULL) {
		return -ENOMEM;
	}
	/* a binary search instead of a list */
	(void)seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	r = ADD(f, base_calls, SCMP_ACT_ALLOW);
	if (r == 0) {
		r = add_memory(f);
	}
	if (r == 0) {
		r = add_threads(f, allow);
	}
	if (r == 0) {
		r = add_sockets(f, allow);
	}
	if (r == 0 && (allow & SANDBOX_ACCEPT) != 0) {
		r = ADD(f, accept_calls, SCMP_ACT_ALLOW);
	}
	if (r == 0) {
		r = (allow & SANDBOX_FILES) != 0
		    ? ADD(f, file_calls, SCMP_ACT_ALLOW)
		    : ADD(f, probed_calls, SCMP_ACT_ERRNO(ENOENT));
	}
	if (r == 0 && (allow & SANDBOX_FORK) != 0) {
		r = ADD(f, fork_calls, SCMP_ACT_ALLOW);
	}
	if (r == 0) {
		r = seccomp_load(f);
	}
	seccomp_release(f);
	return r;
}

/* ---- files and ports ---------------------------------------------------- */

#define RIGHTS_V1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
#ifdef LANDLOCK_ACCESS_FS_REFER
#define RIGHT_REFER LANDLOCK_ACCESS_FS_REFER
#else
#define RIGHT_REFER (1ULL << 13)
#endif
#define RIGHT_TRUNCATE (1ULL << 14)
#define NET_BIND (1ULL << 0)
#define NET_CONNECT (1ULL << 1)

/* Newer than Debian 12's header: the second member came with ABI 4. */
struct ruleset {
	uint64_t fs;
	uint64_t net;
};

static int
landlock(unsigned allow, int directory)
{
	struct ruleset rules = { .fs = RIGHTS_V1 };
	size_t size = sizeof(rules.fs);
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	int fd, r = 0;

	if (abi < 1) {
		return 0; /* an older kernel: the other walls stand */
	}
	rules.fs |= abi >= 2 ? RIGHT_REFER : 0;
	rules.fs |= abi >= 3 ? RIGHT_TRUNCATE : 0;
	if (abi >= 4 && (allow & SANDBOX_CONNECT) == 0) {
		rules.net = NET_BIND | NET_CONNECT;
		size = sizeof(rules);
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
	if (fd < 0) {
		return -errno;
	}
	if ((allow & SANDBOX_FILES) != 0 && directory >= 0) {
		struct landlock_path_beneath_attr beneath = { .allowed_access =
								  rules.fs &
			    ~LANDLOCK_ACCESS_FS_EXECUTE,
			.parent_fd = directory };

		if (syscall(SYS_landlock_add_rule, fd,
			LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0) {
			r = -errno;
		}
	}
	if (r == 0 && syscall(SYS_landlock_restrict_self, fd, 0) < 0) {
		r = -errno;
	}
	(void)close(fd);
	return r;
}

int
sandbox_enter(unsigned allow, int directory)
{
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		return -errno;
	}
	r = landlock(allow, directory);
#ifdef PB_SANITIZERS
	/* Their run-time needs ptrace and /proc: no filter in such builds. */
	(void)filter_calls;
	return r;
#else
	if (r == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
		r = -errno;
	}
	return r < 0 ? r : filter_calls(allow);
#endif
}

int
sandbox_drop(const char *root, unsigned uid, unsigned gid)
{
	if (chroot(root) < 0 || chdir("/") < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0) {
		return -errno;
	}
	/* The way back must be closed. */
	return setuid(0) == 0 ? -EPERM : 0;
}
