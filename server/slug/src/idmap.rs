//! Shows the files of a mount as those of another user, without changing one.
//!
//! A slug is packed as root's. A clone of its mount with an id mapping shows it as the app's, and the
//! page cache is shared by all. Needs Linux 6.2 for squashfs.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::CWD,
    mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree},
};
use sandbox::Identity;

use crate::SlugError;

/// How long a process may take to start.
const START_WITHIN: Duration = Duration::from_secs(5);

/// Mounts what is mounted at `source` at `target` too, with root's files shown as the identity's.
pub(crate) fn clone_for(source: &Path, target: &Path, identity: Identity) -> Result<(), SlugError> {
    let mapping = user_namespace(identity).map_err(SlugError::file("map the owners of", source))?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, source, flags).map_err(SlugError::file("clone the mount", source))?;
    set_mapping(&tree, &mapping).map_err(SlugError::file("map the owners of", source))?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(&tree, "", CWD, target, flags).map_err(SlugError::file("mount", target))
}

/// Returns a user namespace in which root is the identity. No process lives in it.
fn user_namespace(identity: Identity) -> io::Result<File> {
    let mut holder = Command::new("unshare")
        // It says when it is there, and goes when its input ends.
        .args(["--user", "sh", "-c", "echo; exec cat"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let namespace = mapped(&mut holder, identity);
    let _ = holder.kill();
    holder.wait()?;
    namespace
}

fn mapped(holder: &mut Child, identity: Identity) -> io::Result<File> {
    let output = holder.stdout.as_mut().expect("it is piped");
    let within = Timespec::try_from(START_WITHIN).map_err(io::Error::other)?;
    let ready = poll(&mut [PollFd::new(&*output, PollFlags::IN)], Some(&within))? > 0;
    if !ready || output.read(&mut [0])? == 0 {
        return Err(io::Error::other("no user namespace can be made"));
    }
    let process = Path::new("/proc").join(holder.id().to_string());
    fs::write(process.join("uid_map"), format!("0 {} 1", identity.uid()))?;
    fs::write(process.join("gid_map"), format!("0 {} 1", identity.gid()))?;
    File::open(process.join("ns/user"))
}

/// `mount_setattr(2)` with `MOUNT_ATTR_IDMAP`, which no safe library offers.
#[expect(unsafe_code, reason = "the system call has no safe wrapper")]
fn set_mapping(tree: &OwnedFd, mapping: &File) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: u64::try_from(mapping.as_raw_fd()).expect("an open file has a number"),
    };
    // SAFETY: the descriptors are open for the call, the path is an empty C string, and the kernel reads
    // as many bytes of `attributes` as it is told.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
