"""Have this process be as on Windows, as far as Python tells: imported first by a child process of a test.

Our own code, and no other, finds nothing of what Python documents as Unix-only: modules, functions of `os` and signals,
and no /proc. For all code, symbolic links are refused, a file that is open is neither removed nor replaced, nothing is
renamed to a name that is taken, and processes are started anew (spawn). Our own code makes no file and no folder of a
name that Windows refuses. Texts are to be read and written with an encoding: without, Windows takes an old one of its
own.
"""

import builtins
import multiprocessing
import os
import re
import shutil
import signal
import sys
import warnings

MODULES = {
    "crypt",
    "fcntl",
    "grp",
    "nis",
    "ossaudiodev",
    "posix",
    "pty",
    "pwd",
    "resource",
    "spwd",
    "syslog",
    "termios",
}
MODULES |= {"tty", "readline", "curses"}
# "Availability: Unix" in the documentation of `os`, of Python 3.10 to 3.13.
FUNCTIONS = """
chflags chown chroot confstr confstr_names copy_file_range ctermid eventfd fchdir fchmod fchown fdatasync fork forkpty
fpathconf fstatvfs fwalk getegid geteuid getgid getgrouplist getgroups getloadavg getpgid getpgrp getpriority getrandom
getresgid getresuid getsid getuid getxattr grantpt initgroups killpg lchflags lchmod lchown listxattr lockf major
makedev memfd_create minor mkfifo mknod nice openpty pathconf pathconf_names pidfd_open pipe2 plock posix_fadvise
posix_fallocate posix_openpt posix_spawn posix_spawnp pread preadv ptsname pwrite pwritev readv register_at_fork
removexattr sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getparam sched_getscheduler
sched_rr_get_interval sched_setaffinity sched_setparam sched_setscheduler sched_yield sendfile setegid seteuid setgid
setgroups setns setpgid setpriority setregid setresgid setresuid setreuid setsid setuid setxattr splice statvfs sync
sysconf sysconf_names tcgetpgrp tcsetpgrp timerfd_create ttyname uname unlockpt unshare wait wait3 wait4 waitid writev
EX_OK F_LOCK F_TEST F_TLOCK F_ULOCK O_ASYNC O_CLOEXEC O_DIRECT O_DIRECTORY O_DSYNC O_NDELAY O_NOATIME O_NOCTTY
O_NOFOLLOW O_NONBLOCK O_PATH O_RSYNC O_SYNC P_ALL P_NOWAITO P_PGID P_PID WCONTINUED WEXITED WNOHANG WNOWAIT WSTOPPED
WUNTRACED
""".split()  # noqa: SIM905, a list would be a page long
# All signals but those that Windows has, and the functions for them.
SIGNALS = {name for name in dir(signal) if name.startswith("SIG") and not name.startswith("SIG_")}
SIGNALS -= {"SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM"}
SIGNALS |= {"alarm", "pause", "setitimer", "getitimer", "pthread_kill", "pthread_sigmask", "sigpending", "sigwait"}
SIGNALS |= {"sigwaitinfo", "sigtimedwait", "siginterrupt"}


def _is_ours(name):
    return (
        (name or "").split(".")[0].startswith(("osmn", "davis_eval", "youtube_eval", "ytvos_", "preprocessing", "demo"))
    )


def _hide(module, names):
    """Have our own code find none of the names in a module."""
    there = {name: module.__dict__.pop(name) for name in names if name in module.__dict__}

    def find(name):
        if name in there and not _is_ours(sys._getframe(1).f_globals.get("__name__")):
            return there[name]
        raise AttributeError(f"module {module.__name__!r} has no attribute {name!r} on Windows")

    module.__getattr__ = find


def _refuse_modules():
    real = builtins.__import__

    def found(name, globals=None, locals=None, fromlist=(), level=0):
        if not level and name in MODULES and _is_ours((globals or {}).get("__name__")):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, globals, locals, fromlist, level)

    builtins.__import__ = found


# "Naming Files, Paths, and Namespaces" of Windows' documentation. A backslash would begin the next name.
REFUSED = re.compile(r'[<>:"|?*\x00-\x1f\\]|[. ]$|^(CON|PRN|AUX|NUL|COM[1-9]|LPT[1-9])(\.|$)', re.IGNORECASE)
BETWEEN = ("pathlib", "io", "codecs", "os", "tempfile", "shutil", "PIL", "zipfile")  # Our code calls these.


def _calls_from_ours():
    frame = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] in BETWEEN:
        frame = frame.f_back
    return frame is not None and _is_ours(frame.f_globals.get("__name__"))


def _refuse_paths():
    """Have our own code find no /proc, and make nothing of a name that Windows refuses."""

    def audit(event, arguments):
        if event == "open" and str(arguments[0]).startswith("/proc/") and _calls_from_ours():
            raise FileNotFoundError(2, "No such file or directory", arguments[0])
        makes = event == "os.mkdir" or (event == "open" and arguments[2] & os.O_CREAT)
        if makes and REFUSED.search(os.path.basename(os.fsdecode(arguments[0]))) and _calls_from_ours():
            raise OSError(22, "The filename, directory name, or volume label syntax is incorrect", arguments[0])

    sys.addaudithook(audit)


def _keep_open_files():
    """Have no open file be removed, nor replaced, and no link be made."""

    def is_open(path):
        try:
            path = os.path.realpath(os.fsdecode(path))
            return any(os.path.realpath(f"/proc/self/fd/{number}") == path for number in os.listdir("/proc/self/fd"))
        except (OSError, TypeError):
            return False

    def guarded(function, renames):
        def wrapped(*paths, **options):
            if renames and os.path.lexists(paths[1]):
                raise FileExistsError(17, "Cannot create a file when that file already exists", paths[0])
            for path in paths[:2]:
                if options.get("dir_fd") is None and is_open(path):
                    raise PermissionError(13, "The process cannot access the file because it is being used", path)
            return function(*paths, **options)

        return wrapped

    def refused(source, path, *more, **options):
        raise OSError(22, "A required privilege is not held by the client", source)

    for name in ("remove", "unlink", "replace", "rename"):
        setattr(os, name, guarded(getattr(os, name), name == "rename"))
    os.symlink = os.link = refused
    shutil._use_fd_functions = False  # So that it removes a folder's files by the functions above.


if hasattr(os, "process_cpu_count"):  # Of Python 3.13: in Unix's own form it needs a name that is hidden here.
    os.process_cpu_count = os.cpu_count
_refuse_modules()
_refuse_paths()
_keep_open_files()
for method in ("fork", "forkserver"):
    multiprocessing.context._concrete_contexts.pop(method, None)
multiprocessing.set_start_method("spawn")
_hide(os, FUNCTIONS)
_hide(signal, SIGNALS)
warnings.filterwarnings("error", category=EncodingWarning, module=r"(osmn|davis_eval|preprocessing)")
