//! Makes the stack image of Debian's packages, where no registry can be reached: a script writes the tree as an archive, and
//! the daemon takes that in as an image.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bollard::query_parameters::CreateImageOptions;
use futures::TryStreamExt as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio_util::io::ReaderStream;

use super::{PACKAGES, Progress, STACK, labels};
use crate::daemon::Daemon;

const SCRIPT: &str = include_str!("../../../../buildpacks/stack/bootstrap.sh");

/// How long it may take: some hundred megabytes from a slow mirror.
const WITHIN: Duration = Duration::from_secs(45 * 60);

/// Builds and returns the id of the image, which has a tag of the stack's then.
pub(super) async fn build(daemon: &Daemon, tag: &str, progress: Progress<'_>) -> anyhow::Result<String> {
    let made = tokio::time::timeout(WITHIN, import(daemon, tag, progress)).await;
    made.with_context(|| format!("it took longer than {} minutes", WITHIN.as_secs() / 60))?
}

async fn import(daemon: &Daemon, tag: &str, progress: Progress<'_>) -> anyhow::Result<String> {
    let mut packages = tempfile::NamedTempFile::new().context("cannot make a file")?;
    packages.write_all(PACKAGES.as_bytes()).context("cannot write a file")?;
    let mut script = Command::new("bash")
        .args(["-c", SCRIPT, "bootstrap"])
        .arg(packages.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot run bash")?;
    let archive = ReaderStream::with_capacity(script.stdout.take().context("it is piped")?, 1 << 20);
    let errors = BufReader::new(script.stderr.take().context("it is piped")?);
    let change = |(name, value): (String, String)| format!("LABEL {name}={value}");
    let options = CreateImageOptions {
        from_src: Some("-".to_owned()),
        repo: Some(STACK.to_owned()),
        tag: Some(tag.to_owned()),
        changes: labels().into_iter().map(change).chain(["CMD [\"/bin/bash\"]".to_owned()]).collect(),
        ..CreateImageOptions::default()
    };
    // Nothing is sent before the script has written something: until then it fails without an image of half a tree.
    let archive = bollard::body_try_stream(archive);
    // The daemon answers when it has all of the archive, which is as long in the making.
    let docker = daemon.docker().clone().with_timeout(WITHIN);
    let said = docker.create_image(Some(options), Some(archive), None);
    let imported = said.map_ok(|info| info.status).try_collect::<Vec<_>>();
    let told = async {
        let mut lines = errors.lines();
        let mut last = String::new();
        while let Ok(Some(line)) = lines.next_line().await {
            progress(&line);
            last = line;
        }
        last
    };
    let (imported, last, ended) = tokio::join!(imported, told, script.wait());
    let said = imported.map_err(|error| daemon.explain("take in an image", error));
    if !ended.context("cannot wait for the script")?.success() {
        // Either may have failed because of the other.
        let why = said.err().map(|error| format!("; {error}")).unwrap_or_default();
        bail!("{last}{why}");
    }
    let said = said?;
    let id = said.into_iter().flatten().find(|status| status.starts_with("sha256:"));
    id.context("the Docker Engine did not name the image")
}
