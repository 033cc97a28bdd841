//! What one push does: judge it, keep its commit, queue its build or attach to the one that runs, and show the pusher
//! what happens. The pusher may leave at any time; nothing here depends on somebody listening.

use std::sync::Arc;

use fail_point::Step;
use git::{DeployBranch, Deployment, Fate, Moved, PushReply, PushRequest, Repository, Verdict};
use model::id::BuildId;
use model::release::CommitRef;
use model::wording;
use store::{App, NewActivity, NewBuild};
use tracing::warn;

use super::arrival::{Arrival, Known, not_forward};
use super::ledger::PushOptions;
use super::watch::{self, Ending};
use crate::actor::Actor;
use crate::disk::Room;
use crate::platform::Platform;

/// A push and whose it is.
pub(super) struct Push {
    pub(super) platform: Arc<Platform>,
    pub(super) app: App,
    pub(super) actor: Actor,
    pub(super) repository: Repository,
}

/// Handles a push from the arrival of its objects to its last word.
pub(super) async fn receive(push: Push, request: PushRequest, reply: PushReply) {
    fail_point::reach(Step::ObjectsIn);
    let stopping = push.platform.signals.stop.clone();
    let decided = tokio::select! {
        decided = push.decide(&request, &reply) => decided,
        () = stopping.cancelled() => {
            let text = "The server restarts. A build or rollout that has begun goes on; push again to see how it ends.";
            refuse(&reply, &[text.to_owned()]);
            Ok(Err("the server restarts"))
        }
    };
    let fates = match decided {
        Ok(Ok(fates)) => fates,
        Ok(Err(reason)) => none_of(&request, reason),
        Err(error) => {
            warn!(app.name = %push.app.name, error = format!("{error:#}"), "a push failed for a reason of ours");
            let text = "The push failed for a reason of the server's; its log has the details.";
            refuse(&reply, &[text.to_owned(), "Nothing was changed. Push again in a moment.".to_owned()]);
            none_of(&request, "the server failed")
        }
    };
    push.repository.forget_push(&request).await;
    fail_point::reach(Step::Answering);
    reply.finish(fates).await;
}

/// What became of each reference, or why none of them moved, in a few words.
type Decided = Result<Vec<Fate>, &'static str>;

impl Push {
    async fn decide(&self, request: &PushRequest, reply: &PushReply) -> anyhow::Result<Decided> {
        let branch = match &self.app.settings.deploy_branch {
            Some(name) => DeployBranch::Named(name.as_str().to_owned()),
            None => DeployBranch::MainOrMaster,
        };
        match git::judge(&request.updates, &branch) {
            Verdict::Refuse(lines) => {
                refuse(reply, &lines);
                Ok(Err("refused"))
            }
            Verdict::Store(notes) => {
                say_all(reply, &notes);
                Ok(Ok(self.repository.store(&request.updates, request.atomic).await))
            }
            Verdict::Deploy(deployment, notes) => {
                say_all(reply, &notes);
                let name = format!("refs/heads/{}", deployment.branch);
                if let Err(reason) = self.deploy(request, deployment, reply).await? {
                    return Ok(Err(reason));
                }
                let others: Vec<_> = request.updates.iter().filter(|u| u.name != name).cloned().collect();
                let mut stored = self.repository.store(&others, request.atomic).await.into_iter();
                let fates = request
                    .updates
                    .iter()
                    .map(|update| if update.name == name { Ok(()) } else { stored.next().unwrap_or(Ok(())) });
                Ok(Ok(fates.collect()))
            }
        }
    }

    /// Returns once the commit serves and its branch is there, or why not.
    async fn deploy(
        &self,
        request: &PushRequest,
        deployment: Deployment,
        reply: &PushReply,
    ) -> anyhow::Result<Result<(), &'static str>> {
        let options = match PushOptions::parse(&request.options) {
            Ok(options) => options,
            Err(why) => {
                refuse(reply, &[why]);
                return Ok(Err("refused"));
            }
        };
        let room = Room::at(&self.platform.options.data_dir)?;
        if let Some(why) = room.refusal(self.platform.options.reserve_bytes) {
            let hint = "Free space on the server, or lower --reserve-mb; `paasctl doctor` shows the disk.";
            refuse(reply, &[format!("Nothing was built: {why}."), hint.to_owned()]);
            return Ok(Err("no room"));
        }
        let repository = self.repository.clone();
        let arrival = tokio::task::spawn_blocking(move || {
            let arrival = Arrival::keep(&repository, deployment)?;
            fail_point::reach(Step::CommitKept);
            let foreseen = arrival.foresee(&repository)?;
            Ok::<_, anyhow::Error>((arrival, foreseen))
        });
        let (arrival, foreseen) = arrival.await??;
        if let Moved::Refused(tip) = foreseen {
            self.forget(arrival.build).await?;
            refuse(reply, &not_forward(&arrival.branch, tip));
            return Ok(Err("non-fast-forward"));
        }
        match self.enqueue(&arrival, options).await? {
            Known::New => {
                let (commit, branch) = (arrival.commit_ref(), &arrival.branch);
                let text = format!("-----> Received {} on {branch}: {}\n", commit.short(), commit.subject);
                reply.say(text.as_bytes());
                self.follow(arrival.build, reply).await
            }
            known => self.attach(known, arrival, reply).await,
        }
    }

    /// Follows what is under way for the commit already, and lets this push have its branch.
    async fn attach(
        &self,
        known: Known,
        arrival: Arrival,
        reply: &PushReply,
    ) -> anyhow::Result<Result<(), &'static str>> {
        let commit = arrival.commit_ref();
        match known {
            Known::Build(build) => {
                let since = wording::ago(build.created_at, jiff::Timestamp::now());
                let id = short(build.id);
                reply
                    .say(format!("-----> Attached to build {id} of this commit, begun {since}\n").as_bytes());
                let served = self.follow(build.id, reply).await?;
                if served.is_err() || build.branch.as_ref() == Some(&arrival.branch) {
                    return Ok(served);
                }
            }
            Known::Release(version) => {
                let text = format!("-----> Attached to {version} of this commit, which is built already\n");
                reply.say(text.as_bytes());
                let ending = watch::release(&self.platform, &self.app, version, &commit.id, reply).await?;
                if ending == Ending::Refused {
                    return Ok(Err("not deployed"));
                }
            }
            Known::Serves(version) => {
                let text = format!("-----> Commit {} serves already as {version}\n", commit.short());
                reply.say(text.as_bytes());
            }
            Known::New => {}
        }
        let (repository, branch) = (self.repository.clone(), arrival.branch.clone());
        let moved = tokio::task::spawn_blocking(move || arrival.advance(&repository)).await??;
        if let Moved::Refused(tip) = moved {
            refuse(reply, &not_forward(&branch, tip));
            return Ok(Err("non-fast-forward"));
        }
        Ok(Ok(()))
    }

    /// Shows a build to the end of its push.
    async fn follow(&self, id: BuildId, reply: &PushReply) -> anyhow::Result<Result<(), &'static str>> {
        let ending = watch::build(&self.platform, &self.app, id, reply).await?;
        if !self.platform.builds.settled(id).await && self.platform.store.is_shared() {
            crate::builds::settled_elsewhere(&self.platform, &self.repository, id).await?;
        }
        Ok(if ending == Ending::Serves { Ok(()) } else { Err("not deployed") })
    }

    /// Queues a build unless there is nothing to build; of pushes at once only one finds the commit new.
    async fn enqueue(&self, arrival: &Arrival, options: PushOptions) -> anyhow::Result<Known> {
        let commit = arrival.commit_ref();
        let mut tx = self.platform.store.write().await?;
        let known = arrival.known(&mut tx, &self.app).await?;
        if !matches!(known, Known::New) {
            drop(tx);
            self.forget(arrival.build).await?;
            return Ok(known);
        }
        let new = NewBuild {
            id: arrival.build,
            app: self.app.id,
            user: self.actor.user,
            commit: Some(commit.clone()),
            branch: Some(arrival.branch.clone()),
            options: serde_json::to_value(options.into_ledger(arrival.forced))?,
        };
        store::enqueue_build(&mut tx, new).await?;
        store::create_activity(&mut tx, self.activity(&commit)).await?;
        tx.commit().await?;
        fail_point::reach(Step::BuildQueued);
        self.platform.builds.wake.notify_one();
        Ok(known)
    }

    async fn forget(&self, build: BuildId) -> anyhow::Result<()> {
        let repository = self.repository.clone();
        tokio::task::spawn_blocking(move || repository.forget_build(&build.to_string())).await?
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

/// Returns as much of a build's id as `paasctl builds` shows and takes: its beginning, the time in milliseconds.
fn short(id: BuildId) -> String {
    id.to_string().chars().take(13).collect()
}

fn say_all(reply: &PushReply, lines: &[String]) {
    for line in lines {
        reply.say(format!("-----> {line}\n").as_bytes());
    }
}

fn refuse(reply: &PushReply, lines: &[String]) {
    for line in lines {
        reply.say(format!(" !     {line}\n").as_bytes());
    }
}

fn none_of(request: &PushRequest, reason: &str) -> Vec<Fate> {
    vec![Err(reason.to_owned()); request.updates.len()]
}
