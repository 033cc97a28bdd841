//! The `/etc` of the stack: a few harmless files of the host, and generated ones for the app's user.
//!
//! A list of what may be seen, never all of `/etc` without something.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::{Bind, HostFacts, Identity, Privilege, SandboxError};

/// What programs look for by default. No file here may hold a secret.
const SHARED: [&str; 27] = [
    "etc/alternatives",
    "etc/ca-certificates",
    "etc/ca-certificates.conf",
    "etc/crypto-policies",
    "etc/debian_version",
    "etc/fonts",
    "etc/gai.conf",
    "etc/host.conf",
    "etc/hosts",
    "etc/inputrc",
    "etc/ld.so.cache",
    "etc/ld.so.conf",
    "etc/ld.so.conf.d",
    "etc/localtime",
    "etc/magic",
    "etc/mime.types",
    "etc/networks",
    "etc/os-release",
    "etc/pki/ca-trust",
    "etc/pki/tls/certs",
    "etc/protocols",
    "etc/resolv.conf",
    "etc/services",
    "etc/ssl/certs",
    "etc/ssl/openssl.cnf",
    "etc/terminfo",
    "etc/timezone",
];

/// The generated files.
pub(crate) const GENERATED: [&str; 3] = ["group", "nsswitch.conf", "passwd"];

/// Returns the shared files that exist below `root`, as absolute paths of the host.
pub(crate) fn shared(root: &Path) -> Vec<PathBuf> {
    SHARED.into_iter().filter(|name| root.join(name).exists()).map(|name| Path::new("/").join(name)).collect()
}

/// Returns where the generated files for this identity lie.
pub(crate) fn generated(host: &HostFacts, identity: Identity) -> PathBuf {
    host.generated.join(inside(host.privilege, identity).uid().to_string())
}

/// Returns the identity as the program sees it.
pub(crate) fn inside(privilege: Privilege, identity: Identity) -> Identity {
    match privilege {
        Privilege::Root => identity,
        Privilege::User => Identity::new(1000, 1000).expect("1000 is not root"),
    }
}

/// Writes the generated files of an identity unless they are there.
pub(crate) fn prepare(host: &HostFacts, identity: Identity) -> Result<(), SandboxError> {
    let directory = generated(host, identity);
    fs::create_dir_all(&directory).map_err(SandboxError::file("create", &directory))?;
    for name in GENERATED {
        let (path, content) = (directory.join(name), content(name, inside(host.privilege, identity)));
        if fs::read_to_string(&path).is_ok_and(|present| present == content) {
            continue;
        }
        replace(&path, &content).map_err(SandboxError::file("write", &path))?;
    }
    Ok(())
}

/// Returns the generated files of an identity, written where they were not yet, as binds for what is no sandbox of ours.
///
/// # Errors
/// They cannot be written.
pub fn etc_binds(host: &HostFacts, identity: Identity) -> Result<Vec<Bind>, SandboxError> {
    prepare(host, identity)?;
    let directory = generated(host, identity);
    let bind = |name| Bind::read_only(directory.join(name), Path::new("/etc").join(name));
    Ok(GENERATED.into_iter().map(bind).collect())
}

/// Writes beside and renames, so that no sandbox ever sees half a file.
fn replace(path: &Path, content: &str) -> io::Result<()> {
    let thread = rustix::thread::gettid().as_raw_nonzero();
    let beside = path.with_extension(format!("{thread}.new"));
    fs::write(&beside, content)?;
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o644))?;
    fs::rename(&beside, path)
}

fn content(name: &str, identity: Identity) -> String {
    let (uid, gid) = (identity.uid(), identity.gid());
    match name {
        "passwd" => format!(
            "root:x:0:0:root:/:/usr/sbin/nologin\napp:x:{uid}:{gid}:app:/app:/bin/bash\n\
             nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
        ),
        "group" => format!("root:x:0:\napp:x:{gid}:\nnogroup:x:65534:\n"),
        _ => "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n".to_owned(),
    }
}
