//! The beginning of a push, from any client: it is read alike in any pieces, no name is let through that git would
//! refuse, and the branch that deploys is never deleted.
#![no_main]

use arbitrary::Arbitrary;
use git::fuzzing::{PushHead, push_head, put_pkt};
use git::{DeployBranch, RefUpdate, Verdict, judge};
use libfuzzer_sys::fuzz_target;
use model::name::BranchName;

#[derive(Debug, Arbitrary)]
struct Push<'a> {
    lines: Vec<Line<'a>>,
    options: Vec<&'a [u8]>,
    behind: &'a [u8],
    piece: u8,
    deploys: Option<&'a str>,
}

#[derive(Debug, Arbitrary)]
enum Line<'a> {
    Update { old: Place, new: Place, name: Name<'a>, capabilities: Option<&'a [u8]> },
    Shallow(Place),
    Flush,
    Pkt(&'a [u8]),
    Raw(&'a [u8]),
}

#[derive(Debug, Arbitrary)]
enum Name<'a> {
    Main,
    Master,
    Branch(&'a [u8]),
    Ref(&'a [u8]),
    Any(&'a [u8]),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Place {
    Nowhere,
    Commit(u8),
}

impl Place {
    fn id(self) -> String {
        match self {
            Self::Nowhere => "0".repeat(40),
            Self::Commit(byte) => format!("{byte:02x}").repeat(20),
        }
    }
}

impl Name<'_> {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Main => b"refs/heads/main".to_vec(),
            Self::Master => b"refs/heads/master".to_vec(),
            Self::Branch(name) => [b"refs/heads/", *name].concat(),
            Self::Ref(name) => [b"refs/", *name].concat(),
            Self::Any(name) => name.to_vec(),
        }
    }
}

fn wire(push: &Push<'_>) -> Vec<u8> {
    let mut wire = Vec::new();
    for line in &push.lines {
        match line {
            Line::Update { old, new, name, capabilities } => {
                let mut command = format!("{} {} ", old.id(), new.id()).into_bytes();
                command.extend(name.bytes());
                if let Some(capabilities) = capabilities {
                    command.extend([b"\0 report-status-v2 push-options ", *capabilities].concat());
                }
                put_pkt(&mut wire, &command);
            }
            Line::Shallow(place) => put_pkt(&mut wire, format!("shallow {}", place.id()).as_bytes()),
            Line::Flush => wire.extend(b"0000"),
            Line::Pkt(data) => put_pkt(&mut wire, data),
            Line::Raw(bytes) => wire.extend(*bytes),
        }
    }
    wire.extend(b"0000");
    push.options.iter().for_each(|option| put_pkt(&mut wire, option));
    [&wire[..], push.behind].concat()
}

/// The rules of git-check-ref-format(1), written down a second time.
fn git_takes(name: &str) -> bool {
    let odd = |c: char| c <= ' ' || c == '\u{7f}' || "~^:?*[\\".contains(c);
    let bad = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
    name.starts_with("refs/")
        && !name.contains(odd)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.ends_with('.')
        && !name.split('/').any(bad)
}

fn check(head: &PushHead, deploys: &DeployBranch) {
    for (RefUpdate { name, .. }, admitted) in &head.updates {
        assert!(!name.contains(char::is_control), "{name:?} could harm a terminal");
        let private = name == "refs/paas" || name.starts_with("refs/paas/");
        assert!(
            !admitted || (git_takes(name) && git2::Reference::is_valid_name(name) && !private),
            "{name:?}"
        );
    }
    let updates: Vec<_> = head.updates.iter().map(|(update, _)| update.clone()).collect();
    let is_deployed = |update: &&RefUpdate| match (update.branch(), deploys) {
        (Some(branch), DeployBranch::Named(name)) => branch == name,
        (Some(branch), DeployBranch::MainOrMaster) => branch == "main" || branch == "master",
        (None, _) => false,
    };
    let deployed: Vec<_> = updates.iter().filter(is_deployed).collect();
    let verdict = judge(&updates, deploys);
    if deployed.iter().any(|update| update.new.is_none()) {
        assert!(matches!(verdict, Verdict::Refuse(_)), "the branch that deploys is never deleted");
    }
    match &verdict {
        Verdict::Deploy(chosen, _) => {
            assert_eq!(deployed.len(), 1);
            assert_eq!(deployed[0].name, format!("refs/heads/{}", chosen.branch));
            assert_eq!((deployed[0].new, deployed[0].old), (Some(chosen.commit), chosen.old));
        }
        Verdict::Store(_) => assert!(deployed.is_empty()),
        Verdict::Refuse(_) => assert!(!deployed.is_empty()),
    }
    let (Verdict::Deploy(_, words) | Verdict::Store(words) | Verdict::Refuse(words)) = verdict;
    assert!(words.len() <= 13 && words.iter().all(|line| !line.contains(char::is_control)), "{words:?}");
}

fuzz_target!(|push: Push<'_>| {
    let wire = wire(&push);
    let whole = push_head([&wire[..]]);
    let pieces = push_head(wire.chunks(usize::from(push.piece).max(1)));
    match (&whole, &pieces) {
        // A reader may look at a line before it sees that a later one is wrong, never the other way round.
        (Ok(one), Ok(other)) => assert_eq!(one, other),
        (one, other) => assert_eq!(one.is_err(), other.is_err()),
    }
    // Names of branches that deploy were checked when they were set.
    let named = push.deploys.and_then(|name| name.parse::<BranchName>().ok());
    assert!(named.iter().all(|name| git_takes(&format!("refs/heads/{name}"))), "{named:?}");
    let deploys = named.map_or(DeployBranch::MainOrMaster, |name| DeployBranch::Named(name.to_string()));
    if let Ok(Some(head)) = &whole {
        check(head, &deploys);
    }
});
