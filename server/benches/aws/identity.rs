//! What an instance shows of itself: a document, and its signature by the region's key, which is of our making.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use fleet::InstanceIdentity;
use serde_json::json;

use crate::sky::Instance;

/// The region's key.
#[derive(Clone)]
pub(crate) struct Signer {
    dir: PathBuf,
}

impl Signer {
    pub(crate) fn generate(dir: &Path) -> Self {
        let signer = Self { dir: dir.to_owned() };
        let key = ["req", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=region", "-keyout", "key"];
        signer.openssl(&[&key[..], &["-out", "certificate"]].concat(), "");
        signer
    }

    pub(crate) fn certificates(&self) -> PathBuf {
        self.dir.join("certificate")
    }

    pub(crate) fn identity(&self, instance: &Instance) -> InstanceIdentity {
        let document = json!({
            "accountId": "123456789012", "region": "us-east-1", "availabilityZone": instance.zone,
            "imageId": instance.image, "instanceId": instance.id, "instanceType": instance.kind,
            "pendingTime": "2026-11-21T12:00:00Z", "privateIp": instance.address,
        });
        let document = document.to_string();
        let how = ["cms", "-sign", "-binary", "-nodetach", "-nocerts", "-outform", "DER"];
        let signed =
            self.openssl(&[&how[..], &["-signer", "certificate", "-inkey", "key"]].concat(), &document);
        let signature = base64::engine::general_purpose::STANDARD.encode(signed);
        InstanceIdentity { document, signature }
    }

    fn openssl(&self, arguments: &[&str], input: &str) -> Vec<u8> {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(&self.dir);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let done = process.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    }
}
