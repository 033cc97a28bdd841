//! A cloud made up here: it lists what it is told to, and signs what its instances are with openssl, as AWS does.

use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base64::Engine as _;
use cloud::{Cloud, Listed, Order, Refused, Site};
use fleet::{IdentityCertificates, InstanceIdentity};
use model::id::LaunchId;
use model::instances::{InstanceId, InstanceType, Room, State};
use tempfile::TempDir;

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "us-east-1";
pub(crate) const ZONE: &str = "us-east-1a";
pub(crate) const IMAGE: &str = "ami-1";
pub(crate) const INSTANCE: &str = "i-0123456789abcdef0";

/// Its key, and what it lists.
pub(crate) struct Sky {
    dir: TempDir,
    shows: Mutex<Vec<Listed>>,
}

impl Sky {
    pub(crate) fn new() -> Arc<Self> {
        let sky = Self { dir: tempfile::tempdir().unwrap(), shows: Mutex::default() };
        let key = ["req", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=test", "-keyout", "key"];
        sky.openssl(&[&key[..], &["-out", "certificate"]].concat());
        Arc::new(sky)
    }

    fn openssl(&self, arguments: &[&str]) -> Vec<u8> {
        let done = Command::new("openssl").args(arguments).current_dir(self.dir.path()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    }

    pub(crate) fn certificates(&self) -> IdentityCertificates {
        let pem = fs::read_to_string(self.dir.path().join("certificate")).unwrap();
        IdentityCertificates::from_pem(&pem).unwrap()
    }

    /// Signs what the instance is; `change` makes it something else.
    pub(crate) fn identity(&self, change: impl FnOnce(&mut serde_json::Value)) -> InstanceIdentity {
        let mut document = serde_json::json!({
            "accountId": ACCOUNT, "availabilityZone": ZONE, "imageId": IMAGE, "instanceId": INSTANCE,
            "instanceType": "small", "pendingTime": "2026-11-21T12:00:00Z", "privateIp": "127.0.0.1", "region": REGION,
        });
        change(&mut document);
        let document = serde_json::to_string_pretty(&document).unwrap();
        fs::write(self.dir.path().join("document"), &document).unwrap();
        let how = ["cms", "-sign", "-binary", "-nodetach", "-nocerts", "-stream", "-outform", "DER"];
        let what = ["-in", "document", "-signer", "certificate", "-inkey", "key"];
        let signature =
            base64::engine::general_purpose::STANDARD.encode(self.openssl(&[&how[..], &what].concat()));
        InstanceIdentity { document, signature }
    }

    /// Shows the instance of a launch from now on.
    pub(crate) fn show(&self, launch: LaunchId) {
        self.shows.lock().unwrap().push(Listed {
            id: INSTANCE.parse().unwrap(),
            launch: Some(launch),
            state: State::Running,
            notice: false,
            says: None,
            private_ip: Some([127, 0, 0, 1].into()),
            image: IMAGE.to_owned(),
        });
    }
}

#[async_trait]
impl Cloud for Sky {
    async fn site(&self) -> Result<Site, String> {
        let offers = Room { memory_mb: 1024, cpu_millicores: 1000 };
        Ok(Site {
            account: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            zones: vec![ZONE.to_owned()],
            image: IMAGE.to_owned(),
            usual: InstanceType { name: "small".to_owned(), offers },
            nats: None,
            public_addresses: true,
            disk_gb: None,
            control: None,
        })
    }

    async fn list(&self) -> Result<Vec<Listed>, String> {
        Ok(self.shows.lock().unwrap().clone())
    }

    async fn launch(&self, order: &Order) -> Result<InstanceId, Refused> {
        unreachable!("nobody orders anything here: {order:?}")
    }

    async fn terminate(&self, ids: &[InstanceId]) -> Result<(), String> {
        unreachable!("nobody ends anything here: {ids:?}")
    }
}
