//! Whatever is done to a backup is noticed, and nothing in it leads anywhere else.

use std::fs::{self, File};
use std::io::{self, Write as _};

use jiff::Timestamp;
use model::id::AppId;
use proptest::prelude::*;

use crate::*;

fn head() -> Head {
    Head {
        format: FORMAT,
        version: "0.1.0".to_owned(),
        schema: 6,
        made_at: Timestamp::UNIX_EPOCH,
        domain: "localhost".to_owned(),
        apps: vec!["shop".to_owned()],
    }
}

fn members() -> Vec<(Member, Vec<u8>)> {
    let app = AppId::new();
    vec![
        (Member::Rows { table: "apps".to_owned(), part: 1 }, b"{\"id\":\"1\"}\n".repeat(5000)),
        (Member::SecretKey, b"0123".to_vec()),
        (Member::Certificate { domain: "*.example.com".to_owned(), file: "key.pem".to_owned() }, vec![]),
        (
            Member::Image("ab".repeat(32).parse().unwrap()),
            (0..200_000u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect(),
        ),
        (Member::Repository { app, file: format!("pack/pack-{}.idx", "0".repeat(40)) }, vec![7; 100]),
    ]
}

fn written(members: &[(Member, Vec<u8>)]) -> Vec<u8> {
    let mut writer = Writer::begin(Vec::new(), &head(), "the file").unwrap();
    for (member, content) in members {
        writer.add(member, content.len() as u64, content.as_slice()).unwrap();
    }
    writer.finish().unwrap()
}

type Read = Result<(Summary, Vec<(Member, Vec<u8>)>), BackupError>;

fn all(file: &[u8]) -> Read {
    let mut found = Vec::new();
    let summary = read(file, |_, member, _, content| {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        found.push((member.clone(), bytes));
        Ok(())
    })?;
    Ok((summary, found))
}

/// Makes an archive as somebody else would, with one member of this header after a proper head.
fn crafted(change: impl FnOnce(&mut tar::Header), content: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(zstd::Encoder::new(Vec::new(), 1).unwrap());
    let text = serde_json::to_vec(&head()).unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_path("head.json").unwrap();
    header.set_size(text.len() as u64);
    header.set_cksum();
    tar.append(&header, text.as_slice()).unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_path("secret-key").unwrap();
    header.set_size(content.len() as u64);
    change(&mut header);
    header.set_cksum();
    tar.append(&header, content).unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}

fn named(name: &str) -> Vec<u8> {
    crafted(
        |header| {
            let field = &mut header.as_old_mut().name;
            field.fill(0);
            field[..name.len()].copy_from_slice(name.as_bytes());
        },
        b"x",
    )
}

#[test]
fn what_was_written_is_read() {
    let members = members();
    let (summary, found) = all(&written(&members)).unwrap();
    assert_eq!(found, members);
    assert_eq!(summary.head, head());
    assert_eq!(summary.members, 5);
    assert_eq!(summary.bytes, members.iter().map(|(_, content)| content.len() as u64).sum::<u64>());
}

#[test]
fn names_that_lead_elsewhere_or_mean_nothing_are_refused() {
    let names = [
        "../secret-key",
        "/etc/passwd",
        "certs/../../x",
        "certs/a/b/c",
        "certs/.hidden/x",
        "repos/x/head",
        "slugs/abc.squashfs",
        "database/Apps/000001.jsonl",
        "database/apps/1.jsonl",
        "secret-key/",
        "./secret-key",
    ];
    for name in names {
        let error = all(&named(name)).unwrap_err();
        assert!(matches!(error, BackupError::Strange(_)), "{name}: {error}");
    }
}

#[test]
fn links_folders_devices_and_extensions_are_refused() {
    for kind in [b'1', b'2', b'3', b'5', b'6', b'L', b'K', b'x', b'g', b'S'] {
        let file = crafted(|header| header.set_entry_type(tar::EntryType::new(kind)), b"x");
        let error = all(&file).unwrap_err();
        assert!(matches!(error, BackupError::Strange(_)), "{}: {error}", char::from(kind));
    }
}

#[test]
fn huge_sizes_are_refused_before_anything_is_read() {
    let file = crafted(|header| header.set_size(1 << 40), b"x");
    assert!(matches!(all(&file).unwrap_err(), BackupError::Strange(_)));
}

#[test]
fn a_backup_without_its_manifest_is_not_whole() {
    let file = crafted(|_| (), b"x");
    assert!(matches!(all(&file).unwrap_err(), BackupError::Truncated));
}

#[test]
fn a_member_that_is_not_what_the_manifest_says_is_noticed() {
    let mut tar = tar::Builder::new(zstd::Encoder::new(Vec::new(), 1).unwrap());
    let text = serde_json::to_vec(&head()).unwrap();
    for (name, content) in
        [("head.json", text.as_slice()), ("secret-key", b"other"), ("manifest", b"made up")]
    {
        let mut header = tar::Header::new_ustar();
        header.set_path(name).unwrap();
        header.set_size(content.len() as u64);
        header.set_cksum();
        tar.append(&header, content).unwrap();
    }
    let file = tar.into_inner().unwrap().finish().unwrap();
    assert!(matches!(all(&file).unwrap_err(), BackupError::Damaged(_)));
}

#[test]
fn what_is_no_backup_is_said_to_be_none() {
    let tarred = {
        let mut tar = tar::Builder::new(Vec::new());
        tar.append_data(&mut tar::Header::new_gnu(), "x", io::empty()).ok();
        zstd::encode_all(tar.into_inner().unwrap().as_slice(), 1).unwrap()
    };
    for file in [&b"hello"[..], &zstd::encode_all(&[9u8; 4096][..], 1).unwrap(), &tarred] {
        let error = all(file).unwrap_err().to_string();
        assert!(error.contains("not a backup") || error.contains("damaged"), "{error}");
    }
    assert!(all(b"").is_err());
}

#[test]
fn a_newer_format_says_what_to_do() {
    let newer = Head { format: FORMAT + 1, ..head() };
    let file = Writer::begin(Vec::new(), &newer, "x").unwrap().finish().unwrap();
    let error = all(&file).unwrap_err().to_string();
    assert!(error.contains("a newer paasd made it"), "{error}");
}

#[test]
fn content_that_changed_its_size_is_refused() {
    let mut writer = Writer::begin(Vec::new(), &head(), "x").unwrap();
    for bytes in [1, 3] {
        let error = writer.add(&Member::SecretKey, bytes, &b"ab"[..]).unwrap_err();
        assert!(matches!(error, BackupError::Changed(_)), "{error}");
    }
}

#[test]
fn a_target_has_its_name_when_it_is_whole_and_takes_nobody_elses() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("b.tar.zst");
    drop(Target::create(&path).unwrap());
    let target = Target::create(&path).unwrap();
    target.rewound().unwrap().write_all(b"abc").unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let late = Target::create(&path).unwrap();
    assert_eq!(target.finish().unwrap(), 3);
    assert_eq!(fs::read(&path).unwrap(), b"abc");
    assert!(matches!(late.finish().unwrap_err(), BackupError::Exists(_)));
    assert!(matches!(Target::create(&path), Err(BackupError::Exists(_))));
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(File::open(&path).unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_cut_backup_is_never_taken_for_whole(part in 0.0..1.0f64) {
        let file = written(&members());
        let cut = (file.len() as f64 * part) as usize;
        prop_assert!(all(&file[..cut]).is_err());
    }

    #[test]
    fn nor_is_one_without_its_last_bytes(lacks in 1..64usize) {
        let file = written(&members());
        let error = all(&file[..file.len() - lacks]).map(drop).unwrap_err();
        prop_assert!(matches!(error, BackupError::Truncated), "{error}");
    }

    #[test]
    fn a_changed_bit_is_noticed_or_changes_nothing(at in any::<prop::sample::Index>(), bit in 0..8u32) {
        let members = members();
        let mut file = written(&members);
        let at = at.index(file.len());
        file[at] ^= 1 << bit;
        if let Ok((_, found)) = all(&file) {
            prop_assert_eq!(found, members);
        }
    }

    #[test]
    fn a_member_is_known_by_its_own_name_only(name in "[a-z./-]{0,40}|(certs|repos|slugs|database)/[ -~]{0,60}") {
        if let Ok(member) = name.parse::<Member>() {
            prop_assert_eq!(member.to_string(), name.clone());
            prop_assert!(!name.split('/').any(|piece| piece.is_empty() || piece.starts_with('.')));
        }
    }
}
