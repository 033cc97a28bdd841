//! Decides what a push means: which update deploys, what is only stored, what is refused, and the words for each.
//! Pure; whether the commit can be built or the branch has moved meanwhile is not its business.

use crate::terminal::clean_line;
use crate::{ObjectId, RefUpdate};

/// Remarks about single references before the rest is only counted.
const MOST_NOTES: usize = 10;
/// Characters of a name that are shown.
const LONGEST_NAME: usize = 200;

/// Which branch of an app deploys when it is pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeployBranch {
    /// The one the app was told to deploy.
    Named(String),
    /// Nobody chose: `main` or `master`.
    MainOrMaster,
}

impl DeployBranch {
    fn is(&self, branch: &str) -> bool {
        match self {
            Self::Named(name) => name == branch,
            Self::MainOrMaster => branch == "main" || branch == "master",
        }
    }

    /// Returns the branch to name in advice.
    pub fn example(&self) -> &str {
        match self {
            Self::Named(name) => name,
            Self::MainOrMaster => "main",
        }
    }
}

/// The update of a push that deploys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Without `refs/heads/`.
    pub branch: String,
    /// The commit to build.
    pub commit: ObjectId,
    /// Where the branch was when git looked; the push fails if it has moved since.
    pub old: Option<ObjectId>,
}

/// What a push means. The strings are whole lines for the person who pushes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Build this; the notes tell of references that are only stored.
    Deploy(Deployment, Vec<String>),
    /// Nothing deploys; the notes say why and how to.
    Store(Vec<String>),
    /// The push as a whole is refused: what, why, and what to do.
    Refuse(Vec<String>),
}

/// Returns what a push of `updates` means for an app that deploys `deploys`.
pub fn judge(updates: &[RefUpdate], deploys: &DeployBranch) -> Verdict {
    let chosen: Vec<_> =
        updates.iter().filter(|u| u.branch().is_some_and(|branch| deploys.is(branch))).collect();
    if let Some(deleted) = chosen.iter().find(|update| update.new.is_none()) {
        return refuse_deletion(&shown(deleted));
    }
    let notes = notes(updates, deploys, chosen.is_empty());
    match chosen[..] {
        [] => Verdict::Store(notes),
        [RefUpdate { old, new: Some(commit), name }] => {
            let branch = name.strip_prefix("refs/heads/").unwrap_or(name).to_owned();
            Verdict::Deploy(Deployment { branch, commit: *commit, old: *old }, notes)
        }
        _ => Verdict::Refuse(vec![
            "This push holds main and master, and either one deploys: it is not clear which is meant."
                .to_owned(),
            "Push one of them: git push paas main".to_owned(),
        ]),
    }
}

fn refuse_deletion(branch: &str) -> Verdict {
    Verdict::Refuse(vec![
        format!("The branch {branch} is the one this app deploys, so it cannot be deleted."),
        "To stop the app, scale it to zero: paasctl scale web=0. To remove it: paasctl apps:destroy."
            .to_owned(),
    ])
}

fn notes(updates: &[RefUpdate], deploys: &DeployBranch, nothing_deploys: bool) -> Vec<String> {
    let others: Vec<_> =
        updates.iter().filter(|u| !u.branch().is_some_and(|branch| deploys.is(branch))).collect();
    let mut notes: Vec<_> = others.iter().take(MOST_NOTES).map(|update| note(update)).collect();
    if others.len() > MOST_NOTES {
        notes.push(format!("… and {} more references likewise.", others.len() - MOST_NOTES));
    }
    if nothing_deploys && let Some(from) = others.iter().find(|update| update.new.is_some()) {
        let branch = deploys.example();
        notes.push(format!("Nothing is deployed: this app deploys the branch {branch}."));
        notes.push(format!("To deploy what you pushed: git push paas {}:{branch}", source(from)));
    }
    notes
}

fn note(update: &RefUpdate) -> String {
    let name = shown(update);
    match (update.new, update.branch(), update.name.starts_with("refs/tags/")) {
        (None, _, _) => format!("Deleting {name}; what runs is not affected."),
        (_, Some(_), _) => format!("Storing the branch {name}; it is not deployed."),
        (_, _, true) => format!("Storing the tag {name}; it is not deployed."),
        _ => format!("Storing {name}; it is not deployed."),
    }
}

/// A tag may name an annotation, which a branch cannot hold.
fn source(update: &RefUpdate) -> String {
    let name = shown(update);
    if update.name.starts_with("refs/tags/") { format!("{name}^{{commit}}") } else { name }
}

fn shown(update: &RefUpdate) -> String {
    let name = &update.name;
    let short = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/")).unwrap_or(name);
    clean_line(short.as_bytes(), LONGEST_NAME)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(byte: u8) -> ObjectId {
        hex::encode([byte; 20]).parse().unwrap()
    }

    fn update(name: &str) -> RefUpdate {
        RefUpdate { old: None, new: Some(id(1)), name: name.to_owned() }
    }

    fn deletion(name: &str) -> RefUpdate {
        RefUpdate { old: Some(id(1)), new: None, name: name.to_owned() }
    }

    #[test]
    fn main_and_master_both_deploy_where_nobody_chose() {
        for branch in ["main", "master"] {
            let verdict = judge(&[update(&format!("refs/heads/{branch}"))], &DeployBranch::MainOrMaster);
            let deployment = Deployment { branch: branch.to_owned(), commit: id(1), old: None };
            assert_eq!(verdict, Verdict::Deploy(deployment, vec![]));
        }
        let both = [update("refs/heads/main"), update("refs/heads/master")];
        assert!(matches!(judge(&both, &DeployBranch::MainOrMaster), Verdict::Refuse(_)));
        let named = DeployBranch::Named("main".to_owned());
        let Verdict::Deploy(_, notes) = judge(&both, &named) else { panic!("main deploys") };
        assert_eq!(notes, ["Storing the branch master; it is not deployed."]);
    }

    #[test]
    fn another_branch_or_a_tag_is_told_how_to_deploy() {
        let Verdict::Store(notes) = judge(&[update("refs/heads/try\u{1b}[1m")], &DeployBranch::MainOrMaster)
        else {
            panic!("only stored")
        };
        assert_eq!(notes.last().unwrap(), "To deploy what you pushed: git push paas try:main");
        let Verdict::Store(notes) = judge(&[update("refs/tags/v1")], &DeployBranch::Named("live".to_owned()))
        else {
            panic!("only stored")
        };
        assert_eq!(notes.last().unwrap(), "To deploy what you pushed: git push paas v1^{commit}:live");
    }

    #[test]
    fn only_the_deploy_branch_cannot_be_deleted() {
        let named = DeployBranch::Named("live".to_owned());
        assert!(matches!(judge(&[deletion("refs/heads/live")], &named), Verdict::Refuse(_)));
        let others = [deletion("refs/heads/main"), deletion("refs/tags/live")];
        let Verdict::Store(notes) = judge(&others, &named) else { panic!("allowed") };
        assert_eq!(notes[0], "Deleting main; what runs is not affected.");
        assert_eq!(notes.len(), 2, "nothing to deploy, so no advice: {notes:?}");
    }

    proptest! {
        #[test]
        fn a_deployment_is_always_one_of_the_updates_and_words_are_bounded(
            names in proptest::collection::vec("(refs/(heads|tags|notes)/)?(main|master|[a-z\u{1b}/]{1,6})", 0..30),
            deleted: u32,
        ) {
            let updates: Vec<_> = names.iter().enumerate()
                .map(|(at, name)| if deleted >> (at % 32) & 1 == 1 { deletion(name) } else { update(name) })
                .collect();
            let (Verdict::Deploy(_, lines) | Verdict::Store(lines) | Verdict::Refuse(lines)) =
                judge(&updates, &DeployBranch::MainOrMaster);
            prop_assert!(lines.len() <= MOST_NOTES + 3);
            let escaped = lines.iter().any(|line| line.contains('\u{1b}'));
            prop_assert!(!escaped);
            if let Verdict::Deploy(chosen, _) = judge(&updates, &DeployBranch::MainOrMaster) {
                let name = format!("refs/heads/{}", chosen.branch);
                prop_assert!(updates.iter().any(|u| u.name == name && u.new == Some(chosen.commit)));
            }
        }
    }
}
