//! Our own side: the config file, git, and the repository we stand in.

use std::os::unix::fs::PermissionsExt;

use super::finding::Finding;
use crate::address::Address;
use crate::context::Context;
use crate::credentials::config_path;
use crate::{address, git};

/// Looks at this machine and this folder.
pub(super) fn findings(context: &Context) -> Vec<Finding> {
    let mut findings: Vec<_> = of_config_file().into_iter().collect();
    let Some(version) = git::version() else {
        findings.push(
            Finding::failed("git", "git is not installed").hint("Install it, such as `apt install git`."),
        );
        return findings;
    };
    findings.push(Finding::good("git", version));
    if !git::is_repository() {
        findings.push(
            Finding::care("remote", "this is no git repository").hint("Run it where your app's code is."),
        );
        return findings;
    }
    let server = context.credentials().ok().map(|credentials| credentials.url);
    findings.extend(of_remote(server.as_ref()));
    findings
}

fn of_config_file() -> Option<Finding> {
    let path = config_path()?;
    let mode = std::fs::metadata(&path).ok()?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return None;
    }
    let message = format!("{} holds a token and others may read it", path.display());
    Some(Finding::failed("config", message).hint(format!("`chmod 600 {}`", path.display())))
}

fn of_remote(server: Option<&Address>) -> Vec<Finding> {
    let Some(url) = git::remote_url(git::REMOTE) else {
        let finding = Finding::care("remote", "this repository has no remote `paas`");
        return vec![finding.hint(
            "`paasctl apps:create NAME` makes an app and adds it; `paasctl git:remote -a NAME` adds that of an app of yours.",
        )];
    };
    let Some(app) = address::app_of(&url) else {
        let finding = Finding::failed("remote", "the remote `paas` leads to no app");
        return vec![finding.hint("`git remote set-url paas http://HOST/APP.git` corrects it.")];
    };
    let Some(server) = server else { return Vec::new() };
    let ours = server.repository(&app);
    let same = url.parse::<Address>().is_ok_and(|address| address.to_string() == ours);
    if !same {
        let finding = Finding::care("remote", format!("the remote `paas` does not lead to {server}"));
        return vec![finding.hint(format!("`git remote set-url paas {ours}` makes it do so."))];
    }
    let remote = Finding::good("remote", format!("`paas` leads to {app}"));
    if git::uses_our_credentials(server) {
        return vec![remote];
    }
    let finding = Finding::care("password", "git asks for the token as password at each push");
    vec![remote, finding.hint(format!("`paasctl git:remote -a {app}` ends that."))]
}
