//! Identity documents as AWS signs them: what openssl makes with the same options is read, and whatever was changed is refused.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::process::Command;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleet::{IdentityCertificates, NotGenuine};
use proptest::prelude::*;
use tempfile::TempDir;

const DOCUMENT: &str = r#"{
  "accountId" : "123456789012",
  "architecture" : "x86_64",
  "availabilityZone" : "us-east-1a",
  "billingProducts" : null,
  "imageId" : "ami-12c6146b",
  "instanceId" : "i-0123456789abcdef0",
  "instanceType" : "m5.large",
  "pendingTime" : "2026-11-21T12:00:00Z",
  "privateIp" : "10.20.0.4",
  "region" : "us-east-1",
  "version" : "2017-09-30"
}"#;

/// As AWS does it: the document within, signed attributes, no certificates.
const AS_AWS: [&str; 3] = ["-binary", "-nodetach", "-nocerts"];

/// Who signs.
struct Signer {
    dir: TempDir,
}

/// Making a key takes a moment.
static AWS: LazyLock<Signer> = LazyLock::new(|| Signer::new(&["-newkey", "rsa:2048"]));

impl Signer {
    fn new(key: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("document"), DOCUMENT).unwrap();
        let signer = Self { dir };
        let own = ["req", "-x509", "-nodes", "-subj", "/CN=test", "-keyout", "key", "-out", "certificate"];
        signer.openssl(&[&own[..], key].concat());
        signer
    }

    fn openssl(&self, arguments: &[&str]) -> Vec<u8> {
        let done = Command::new("openssl").args(arguments).current_dir(self.dir.path()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    }

    fn certificate(&self) -> String {
        fs::read_to_string(self.dir.path().join("certificate")).unwrap()
    }

    fn sign(&self, options: &[&str]) -> Vec<u8> {
        let how =
            ["cms", "-sign", "-in", "document", "-signer", "certificate", "-inkey", "key", "-outform", "DER"];
        self.openssl(&[&how[..], options].concat())
    }

    fn known(&self) -> IdentityCertificates {
        IdentityCertificates::from_pem(&self.certificate()).unwrap()
    }
}

/// Returns a signature as the metadata service gives it.
fn in_lines(message: &[u8]) -> String {
    let text = STANDARD.encode(message);
    text.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>().join("\n")
}

fn check(message: &[u8]) -> Result<(), NotGenuine> {
    AWS.known().check(DOCUMENT, &in_lines(message)).map(drop)
}

#[test]
fn what_was_signed_is_believed_in_each_way_that_it_may_be_written() {
    let streamed = AWS.sign(&[&AS_AWS[..], &["-md", "sha256", "-stream"]].concat());
    assert_eq!(streamed[..2], [0x30, 0x80], "its length is left open, as AWS does");
    let messages = [
        AWS.sign(&[&AS_AWS[..], &["-md", "sha256"]].concat()),
        streamed,
        AWS.sign(&[&AS_AWS[..], &["-md", "sha256", "-noattr"]].concat()),
        AWS.sign(&["-binary", "-md", "sha256", "-nodetach"]),
        AWS.sign(&["-binary", "-md", "sha256", "-nocerts"]),
    ];
    for message in messages {
        let document = AWS.known().check(DOCUMENT, &in_lines(&message)).unwrap();
        assert_eq!(document.instance_id.as_str(), "i-0123456789abcdef0");
        assert_eq!((document.account_id.as_str(), document.region.as_str()), ("123456789012", "us-east-1"));
    }
}

#[test]
fn certificates_of_several_regions_are_believed() {
    let other = Signer::new(&["-newkey", "rsa:2048"]);
    let both = IdentityCertificates::from_pem(&(other.certificate() + &AWS.certificate())).unwrap();
    let message = in_lines(&AWS.sign(&AS_AWS));
    both.check(DOCUMENT, &message).unwrap();
    assert_eq!(other.known().check(DOCUMENT, &message), Err(NotGenuine::Forged));
}

#[test]
fn a_document_that_was_changed_is_refused_whatever_comes_with_it() {
    let changed = DOCUMENT.replace("10.20.0.4", "10.20.0.5");
    for options in [&AS_AWS[..], &["-binary", "-nocerts"]] {
        let message = in_lines(&AWS.sign(options));
        assert_eq!(AWS.known().check(&changed, &message), Err(NotGenuine::Differs));
    }
    let message = in_lines(&AWS.sign(&["-binary", "-nocerts", "-noattr"]));
    assert_eq!(AWS.known().check(&changed, &message), Err(NotGenuine::Forged));
    assert_eq!(
        AWS.known().check(&format!("{DOCUMENT}\n"), &in_lines(&AWS.sign(&AS_AWS))),
        Err(NotGenuine::Differs)
    );
}

#[test]
fn weaker_signatures_and_what_is_none_are_refused() {
    let weaker = check(&AWS.sign(&[&AS_AWS[..], &["-md", "sha1"]].concat()));
    assert_eq!(weaker, Err(NotGenuine::Unreadable("it is not signed over SHA-256")));
    let twice = AWS.sign(&[&AS_AWS[..], &["-signer", "certificate", "-inkey", "key"]].concat());
    assert_eq!(check(&twice), Err(NotGenuine::Unreadable("it has more than one signer")));
    assert!(matches!(check(b""), Err(NotGenuine::Unreadable(_))));
    assert!(matches!(check(&[0x30, 0x80].repeat(5_000)), Err(NotGenuine::Unreadable(_))));
    assert!(matches!(AWS.known().check(DOCUMENT, "no base64!"), Err(NotGenuine::Unreadable(_))));
    let long = " ".repeat(1 << 20);
    assert_eq!(AWS.known().check(DOCUMENT, &long), Err(NotGenuine::Unreadable("it is too long")));
    assert_eq!(AWS.known().check(&long, ""), Err(NotGenuine::Unreadable("it is too long")));
}

#[test]
fn only_certificates_with_keys_that_are_long_enough_are_taken() {
    for key in [&["-newkey", "rsa:1024"][..], &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]] {
        let error = IdentityCertificates::from_pem(&Signer::new(key).certificate()).unwrap_err();
        assert!(error.to_string().contains("2048"), "{error}");
    }
    assert!(IdentityCertificates::from_pem("").is_err());
    assert!(
        IdentityCertificates::from_pem("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            .is_err()
    );
}

proptest! {
    #[test]
    fn whatever_is_sent_is_refused_without_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..2_000),
        text in ".{0,200}",
    ) {
        prop_assert!(check(&bytes).is_err());
        prop_assert!(AWS.known().check(&text, &in_lines(&bytes)).is_err());
    }

    #[test]
    fn a_message_that_was_damaged_says_nothing_that_was_not_signed(
        at in any::<prop::sample::Index>(), to in any::<u8>(), cut in prop::option::of(any::<prop::sample::Index>()),
        streamed in any::<bool>(),
    ) {
        static WHOLE: LazyLock<[Vec<u8>; 2]> =
            LazyLock::new(|| [AWS.sign(&AS_AWS), AWS.sign(&[&AS_AWS[..], &["-stream"]].concat())]);
        let mut message = WHOLE[usize::from(streamed)].clone();
        let at = at.index(message.len());
        message[at] = to;
        if let Some(cut) = cut {
            message.truncate(cut.index(message.len()));
        }
        // What is not signed, such as the number of a version, may differ; what it says may not.
        let changed = DOCUMENT.replace("10.20.0.4", "10.20.0.5");
        prop_assert!(AWS.known().check(&changed, &in_lines(&message)).is_err());
        let _ = check(&message);
    }
}
