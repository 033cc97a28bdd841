//! Which system calls a sandboxed program has no business with. Decides; compiles nothing.
//!
//! The starting point is the default profile of Docker, as its documentation lists it: what works in a container of
//! Docker's works here. Most of these need a capability as well; a second lock costs nothing and holds when the kernel
//! has a hole behind the first.

use std::collections::BTreeMap;

use seccompiler::{SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};

/// Refused whatever their arguments.
const ALWAYS: &[i64] = &[
    // Accounting, clocks, the kernel's log and limits of the whole machine.
    libc::SYS_acct,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_settimeofday,
    libc::SYS_syslog,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_reboot,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_vhangup,
    // Code in the kernel, and windows into it.
    libc::SYS_bpf,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_lookup_dcookie,
    libc::SYS_perf_event_open,
    // File systems and mounts, old interface and new.
    libc::SYS_chroot,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_pivot_root,
    libc::SYS_umount2,
    libc::SYS_fanotify_init,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_setns,
    // Keys belong to a user, and a uid may have had another life on this host.
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
    // Large and often the way in. Programs fall back where they are refused.
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_userfaultfd,
];

/// Those of one architecture only.
#[cfg(target_arch = "x86_64")]
const OF_ARCHITECTURE: &[i64] = &[
    libc::SYS__sysctl,
    libc::SYS_ioperm,
    libc::SYS_iopl,
    libc::SYS_nfsservctl,
    libc::SYS_sysfs,
    libc::SYS_uselib,
    libc::SYS_ustat,
];
#[cfg(not(target_arch = "x86_64"))]
const OF_ARCHITECTURE: &[i64] = &[];

/// The flags of `clone(2)` and `unshare(2)` that make a namespace. A new user namespace gives capabilities in it, and
/// with them a way to much of the kernel.
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWUTS,
];

/// `CLONE_NEWTIME`, which only `unshare` takes: in `clone` the bit belongs to the signal.
const NEW_TIME: u64 = 0x80;

/// Requests of `ioctl(2)` that type into the terminal of somebody else: `TIOCSTI` and `TIOCLINUX`.
const TYPING: [u64; 2] = [0x5412, 0x541C];

/// Kinds of sockets that programs need; `AF_NETLINK` is how libraries list addresses.
const SOCKETS: [libc::c_int; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// What `personality(2)` may be set to: Linux with and without 16-bit ids, the same as on Docker, and asking.
const PERSONALITIES: [u64; 5] = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// The calls that are refused with `EPERM`, and for which arguments; without rules for all.
pub(super) fn refused() -> seccompiler::Result<BTreeMap<i64, Vec<SeccompRule>>> {
    let mut calls: BTreeMap<_, _> =
        ALWAYS.iter().chain(OF_ARCHITECTURE).map(|call| (*call, Vec::new())).collect();
    calls.insert(libc::SYS_clone, namespaces([])?);
    calls.insert(libc::SYS_unshare, namespaces([NEW_TIME])?);
    let typing = TYPING.into_iter().map(|request| rule([condition(1, SeccompCmpOp::Eq, request)?]));
    calls.insert(libc::SYS_ioctl, typing.collect::<Result<_, _>>()?);
    let families = SOCKETS.into_iter().map(|family| none_but(u64::from(family.unsigned_abs())));
    calls.insert(libc::SYS_socket, vec![SeccompRule::new(families.collect::<Result<_, _>>()?)?]);
    let personalities = PERSONALITIES.into_iter().map(none_but);
    calls.insert(libc::SYS_personality, vec![SeccompRule::new(personalities.collect::<Result<_, _>>()?)?]);
    Ok(calls)
}

/// The calls that answer `ENOSYS`, so that libraries take the older one: the flags of `clone3(2)` lie in memory, where
/// no filter sees them.
pub(super) fn absent() -> BTreeMap<i64, Vec<SeccompRule>> {
    BTreeMap::from([(libc::SYS_clone3, Vec::new())])
}

fn namespaces<const N: usize>(more: [u64; N]) -> seccompiler::Result<Vec<SeccompRule>> {
    let flags = NAMESPACES.into_iter().map(|flag| u64::from(flag.unsigned_abs())).chain(more);
    flags.map(|flag| rule([condition(0, SeccompCmpOp::MaskedEq(flag), flag)?])).collect()
}

fn none_but(value: u64) -> seccompiler::Result<SeccompCondition> {
    condition(0, SeccompCmpOp::Ne, value)
}

fn rule<const N: usize>(conditions: [SeccompCondition; N]) -> seccompiler::Result<SeccompRule> {
    Ok(SeccompRule::new(conditions.into())?)
}

/// The kernel takes these arguments as 32 bits; what stands above them must not make a difference.
fn condition(argument: u8, operator: SeccompCmpOp, value: u64) -> seccompiler::Result<SeccompCondition> {
    Ok(SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?)
}
