//! Which system calls a program may make, and that ordinary work goes on without the others.

use crate::world::{World, bash};

/// Makes each call that should be refused with `syscall(2)` and prints its error, or `went through`.
const FORBIDDEN: &str = r#"
import ctypes, errno, fcntl, os, platform, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(name, number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) for a in arguments])
    print(name, "went through" if result >= 0 else errno.errorcode[ctypes.get_errno()])
    if name in ("clone", "clone3") and result == 0:
        os._exit(0)
X86 = platform.machine() == "x86_64"
NEW_USER, NEW_TIME = 0x10000000, 0x80
call("mount", 165 if X86 else 40, 0, 0, 0, 0, 0)
call("umount2", 166 if X86 else 39, 0, 0)
call("pivot_root", 155 if X86 else 41, 0, 0)
call("open_tree", 428, -100, 0, 0)
call("fsopen", 430, 0, 0)
call("setns", 308 if X86 else 268, 0, 0)
call("unshare user", 272 if X86 else 97, NEW_USER)
call("unshare time", 272 if X86 else 97, NEW_TIME)
call("clone", 56 if X86 else 220, NEW_USER | 17, 0, 0, 0, 0)
call("keyctl", 250 if X86 else 219, 0, -3, 0)
call("add_key", 248 if X86 else 217, 0, 0, 0, 0, 0)
call("bpf", 321 if X86 else 280, 0, 0, 0)
call("perf_event_open", 298 if X86 else 241, 0, 0, 0, 0, 0)
call("io_uring_setup", 425, 1, 0)
call("userfaultfd", 323 if X86 else 282, 1)
call("open_by_handle_at", 304 if X86 else 265, 0, 0, 0)
call("init_module", 175 if X86 else 105, 0, 0, 0)
call("kexec_load", 246 if X86 else 104, 0, 0, 0, 0)
call("settimeofday", 170 if X86 else 162, 0, 0)
call("syslog", 103 if X86 else 116, 3, 0, 0)
call("personality", 135 if X86 else 92, 0x0040000)
call("TIOCSTI", 16 if X86 else 29, 0, 0x5412, 0)
call("TIOCSTI with high bits", 16 if X86 else 29, 0, 0x100005412, 0)
call("vsock", 41 if X86 else 198, 40, 1, 0)
call("alg", 41 if X86 else 198, 38, 5, 0)
call("clone3", 435, 0, 0)
if X86:
    call("x32 mount", 0x40000000 + 165, 0, 0, 0, 0, 0)
"#;

/// What programs do all day; prints `done` at the end and a traceback otherwise.
const ORDINARY: &str = r#"
import ctypes, ctypes.util, mmap, multiprocessing, os, signal, socket, sqlite3, ssl, subprocess, tempfile, threading
thread = threading.Thread(target=lambda: None); thread.start(); thread.join()
assert subprocess.run(["sh", "-c", "echo $(id -u) | cat"], capture_output=True, check=True).stdout
with multiprocessing.get_context("spawn").Pool(2) as pool:
    assert pool.map(abs, [-1, 2]) == [1, 2]
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(abs, [-1, 2]) == [1, 2]
for family, address in ((socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_UNIX, "/tmp/socket")):
    server = socket.socket(family); server.bind(address); server.listen()
    client = socket.socket(family); client.connect(server.getsockname()); client.sendall(b"x")
    assert server.accept()[0].recv(1) == b"x"
socket.if_nameindex(); socket.getaddrinfo("localhost", 80)
a, b = socket.socketpair(); a.sendall(b"x"); os.memfd_create("x")
assert ctypes.CDLL(ctypes.util.find_library("m")).abs(-3) == 3
page = mmap.mmap(-1, 4096); page[:1] = b"x"
database = sqlite3.connect(os.path.join(tempfile.mkdtemp(), "db")); database.execute("create table t (a)"); database.commit()
os.posix_spawn("/bin/true", ["true"], {}); os.wait()
os.sched_setaffinity(0, os.sched_getaffinity(0)); os.nice(1); signal.setitimer(signal.ITIMER_REAL, 100)
libc = ctypes.CDLL(None, use_errno=True)
assert libc.personality(0xffffffff) >= 0 and libc.unshare(0x200) == 0
print("done")
"#;

#[test]
fn calls_that_reach_for_the_host_are_refused() {
    let mut sandbox = bash("");
    sandbox.command = vec!["python3".into(), "-c".into(), FORBIDDEN.into()];
    let text = World::new().run(&sandbox).text();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.len() >= 26, "{text}");
    for line in lines {
        let expected = if line.starts_with("clone3") || line.starts_with("x32") { "ENOSYS" } else { "EPERM" };
        assert!(line.ends_with(expected), "{line} is not {expected}");
    }
}

#[test]
fn ordinary_work_goes_on() {
    let script = "cat > /tmp/ordinary.py <<'END'\nif __name__ == '__main__':\n";
    let indented: String = ORDINARY.trim().lines().map(|line| format!("    {line}\n")).collect();
    let ended = World::new().bash(&format!("{script}{indented}END\npython3 /tmp/ordinary.py 2>&1"));
    assert_eq!(ended.text(), "done\n");
}

#[test]
fn a_process_inside_may_trace_its_own_child() {
    // Debuggers and some language runtimes do; other users' processes are out of sight anyway.
    let script = "import ctypes, os\nlibc = ctypes.CDLL(None)\nprint(libc.ptrace(0, 0, 0, 0))";
    let mut sandbox = bash("");
    sandbox.command = vec!["python3".into(), "-c".into(), script.into()];
    assert_eq!(World::new().run(&sandbox).text(), "0\n");
}

#[test]
fn descriptors_that_the_server_was_started_with_stay_outside() {
    let left_open = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::io::fcntl_setfd(&left_open, rustix::io::FdFlags::empty()).unwrap();
    let text = World::new().bash("ls -l /proc/self/fd").text();
    // The directory that `ls` reads is the fourth.
    assert_eq!(text.matches(" -> ").count(), 4, "{text}");
    assert!(!text.contains("socket:"), "{text}");
}
