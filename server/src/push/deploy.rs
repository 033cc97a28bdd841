//! What one push does: judge it, keep its objects, queue its build or attach to the one that runs, and show the pusher
//! what happens. The pusher may leave at any time; nothing here depends on somebody listening.

use std::sync::Arc;
use std::time::Duration;

use git::hook::{PushReply, PushRequest};
use git::{DeployBranch, Deployment, Repository, Verdict};
use model::id::BuildId;
use model::release::{CommitRef, ReleaseStatus, Version};
use model::wording;
use store::{App, Build, NewActivity, NewBuild};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::ledger::PushOptions;
use super::watch::{self, Ending};
use crate::actor::Actor;
use crate::disk::Room;
use crate::platform::Platform;

/// How long git may take to move a branch once it was told to.
const GIT_MOVES_WITHIN: Duration = Duration::from_secs(30);

/// A push and whose it is.
pub(super) struct Push {
    pub(super) platform: Arc<Platform>,
    pub(super) app: App,
    pub(super) actor: Actor,
    pub(super) repository: Repository,
    /// Cancelled once git moves no reference of this push any more.
    pub(super) ended: CancellationToken,
}

/// Handles a push from git's hook to its verdict.
pub(super) async fn receive(push: Push, request: PushRequest, reply: PushReply) {
    let stopping = push.platform.signals.stop.clone();
    let decided = tokio::select! {
        decided = push.decide(&request, &reply) => decided,
        () = stopping.cancelled() => {
            let text = "The server restarts. A build or rollout that has begun goes on; push again to see how it ends.";
            Ok(refuse(&reply, &[text.to_owned()]))
        }
    };
    let status = match decided {
        Ok(status) => status,
        Err(error) => {
            warn!(app.name = %push.app.name, error = format!("{error:#}"), "a push failed for a reason of ours");
            let words = " !     The push failed for a reason of the server's; its log has the details.\n\
                         \x20!     Nothing was changed. Push again in a moment.\n";
            reply.say(words.as_bytes());
            1
        }
    };
    reply.finish(status).await;
}

impl Push {
    async fn decide(&self, request: &PushRequest, reply: &PushReply) -> anyhow::Result<u8> {
        let updates = match &request.updates {
            Ok(updates) => updates,
            Err(error) => return Ok(refuse(reply, &[error.to_string()])),
        };
        let branch = match &self.app.settings.deploy_branch {
            Some(name) => DeployBranch::Named(name.as_str().to_owned()),
            None => DeployBranch::MainOrMaster,
        };
        match git::judge(updates, &branch) {
            Verdict::Refuse(lines) => Ok(refuse(reply, &lines)),
            Verdict::Store(notes) => {
                say_all(reply, &notes);
                Ok(0)
            }
            Verdict::Deploy(deployment, notes) => {
                say_all(reply, &notes);
                self.deploy(request, &deployment, reply).await
            }
        }
    }

    async fn deploy(
        &self,
        request: &PushRequest,
        deployment: &Deployment,
        reply: &PushReply,
    ) -> anyhow::Result<u8> {
        let options = match PushOptions::parse(&request.options) {
            Ok(options) => options,
            Err(why) => return Ok(refuse(reply, &[why])),
        };
        let room = Room::at(&self.platform.options.data_dir)?;
        if let Some(why) = room.refusal(self.platform.options.reserve_bytes) {
            let hint = "Free space on the server, or lower --reserve-mb; `paasctl doctor` shows the disk."
                .to_owned();
            return Ok(refuse(reply, &[format!("Nothing was built: {why}."), hint]));
        }
        let (platform, app) = (&self.platform, &self.app);
        let commit = deployment.commit.to_string();
        let (earlier, ending) = match self.known(&commit, reply).await? {
            Known::Done => return Ok(0),
            Known::Release(version) => {
                (Vec::new(), watch::release(platform, app, version, &commit, reply).await?)
            }
            Known::Build(id) => self.follow(id, reply).await?,
            Known::New => {
                let build = self.enqueue(request, deployment, options, reply).await?;
                self.follow(build.id, reply).await?
            }
        };
        match ending {
            Ending::Serves => self.yield_to(earlier, deployment, reply).await,
            Ending::Refused => Ok(1),
        }
    }

    /// Shows a build to its end; with the pushes of the same commit that came before.
    async fn follow(
        &self,
        id: BuildId,
        reply: &PushReply,
    ) -> anyhow::Result<(Vec<CancellationToken>, Ending)> {
        let earlier = self.platform.builds.expect_pusher(id, &self.ended);
        Ok((earlier, watch::build(&self.platform, &self.app, id, reply).await?))
    }

    /// Of several pushes of one commit the first moves the branch. git cannot move it a second time and would call
    /// that an error of the server, so the others are told what happened instead.
    async fn yield_to(
        &self,
        earlier: Vec<CancellationToken>,
        deployment: &Deployment,
        reply: &PushReply,
    ) -> anyhow::Result<u8> {
        for pusher in earlier {
            let _ = tokio::time::timeout(GIT_MOVES_WITHIN, pusher.cancelled()).await;
        }
        let (repository, branch) = (self.repository.clone(), deployment.branch.clone());
        let tip = tokio::task::spawn_blocking(move || repository.branch_tip(&branch)).await??;
        if tip == deployment.old {
            return Ok(0);
        }
        let text = "This commit serves; another push of it has moved the branch already, so this one has nothing to do.";
        Ok(refuse(reply, &[text.to_owned(), "To see that: git fetch paas".to_owned()]))
    }

    /// Looks whether this commit is being built, or serves already without git knowing.
    async fn known(&self, commit: &str, reply: &PushReply) -> anyhow::Result<Known> {
        let mut db = self.platform.store.read().await?;
        if let Some(build) = store::find_unfinished_build_of(&mut db, self.app.id, commit).await? {
            let since = wording::ago(build.created_at, jiff::Timestamp::now());
            let text =
                format!("-----> Attached to build {} of this commit, begun {since}\n", short(build.id));
            reply.say(text.as_bytes());
            return Ok(Known::Build(build.id));
        }
        let newest = store::newest_release_that_counts(&mut db, self.app.id).await?;
        let Some(release) = newest.filter(|r| r.commit.as_ref().is_some_and(|c| c.id == commit)) else {
            return Ok(Known::New);
        };
        match release.status {
            ReleaseStatus::Succeeded => {
                let text = format!(
                    "-----> Commit {} serves already as {}\n",
                    &commit[..8.min(commit.len())],
                    release.version
                );
                reply.say(text.as_bytes());
                Ok(Known::Done)
            }
            ReleaseStatus::Pending => Ok(Known::Release(release.version)),
            ReleaseStatus::Failed | ReleaseStatus::Expired => Ok(Known::New),
        }
    }

    async fn enqueue(
        &self,
        request: &PushRequest,
        deployment: &Deployment,
        options: PushOptions,
        reply: &PushReply,
    ) -> anyhow::Result<Build> {
        let id = BuildId::new();
        let (repository, push, pushed) = (self.repository.clone(), request.clone(), deployment.commit);
        let (commit, facts) = tokio::task::spawn_blocking(move || {
            let commit = repository.adopt(&push, pushed, &id.to_string())?;
            Ok::<_, anyhow::Error>((commit, repository.commit_facts(commit)?))
        })
        .await??;
        let commit = CommitRef { id: commit.to_string(), subject: facts.subject, author: facts.author_name };
        let options = options.into_ledger(deployment);
        let new = NewBuild {
            id,
            app: self.app.id,
            user: self.actor.user,
            commit: Some(commit.clone()),
            branch: Some(deployment.branch.clone()),
            options: serde_json::to_value(options)?,
        };
        let mut tx = self.platform.store.write().await?;
        let build = store::enqueue_build(&mut tx, new).await?;
        store::create_activity(&mut tx, self.activity(&commit)).await?;
        tx.commit().await?;
        let text =
            format!("-----> Received {} on {}: {}\n", commit.short(), deployment.branch, commit.subject);
        reply.say(text.as_bytes());
        self.platform.builds.wake.notify_one();
        Ok(build)
    }

    fn activity(&self, commit: &CommitRef) -> NewActivity {
        let detail =
            [("commit".to_owned(), serde_json::Value::String(commit.id.clone()))].into_iter().collect();
        NewActivity {
            user: Some((self.actor.user, self.actor.email.clone())),
            token: self.actor.token.clone(),
            action: "git.push".to_owned(),
            app: Some((self.app.id, self.app.name.to_string())),
            detail,
            remote: self.actor.remote.clone(),
        }
    }
}

/// What is known of a pushed commit.
enum Known {
    New,
    /// It is being built.
    Build(BuildId),
    /// It is being rolled out.
    Release(Version),
    /// It serves.
    Done,
}

/// Returns the digits of a build's id that are shown: the last ones, which are random.
pub(crate) fn short(id: BuildId) -> String {
    let text = id.to_string();
    text[text.len() - 12..].to_owned()
}

fn say_all(reply: &PushReply, lines: &[String]) {
    for line in lines {
        reply.say(format!("-----> {line}\n").as_bytes());
    }
}

fn refuse(reply: &PushReply, lines: &[String]) -> u8 {
    for line in lines {
        reply.say(format!(" !     {line}\n").as_bytes());
    }
    1
}
