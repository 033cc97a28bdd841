//! Decides the next step towards an image that hosts start from. A step is one that can be repeated, or the one after which
//! what there is shows that it was done.

use std::time::Duration;

use super::{Builder, BuilderState, Image, ImageState, Outcome, Seen};

/// How long a builder may take, from its start until it is off and has said how it went.
pub const BUILD_WITHIN: Duration = Duration::from_secs(30 * 60);

/// How many images are kept, the newest: the one in use, and those to go back to.
pub const KEPT: usize = 3;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Start a builder.
    Start,
    /// Wait for the builder.
    Watch(String),
    /// End builders that nobody needs.
    End(Vec<String>),
    /// End a builder from which nothing will come, and stop.
    GiveUp {
        /// Which one.
        builder: String,
        /// Why.
        why: String,
    },
    /// Make an image of a builder.
    Capture(String),
    /// Wait until AWS has made an image.
    Await(String),
    /// Have hosts start from an image.
    Use(String),
    /// Remove an image: one that came to nothing, or an old one.
    Discard(String),
    /// Remove the snapshot of an image that is gone.
    Drop(String),
    /// All is as it should be.
    Done(String),
}

/// Decides. A builder is ended before anything is begun that could make it two.
#[must_use]
pub fn next(fingerprint: &str, seen: &Seen) -> Next {
    let there = || seen.builders.iter().filter(|builder| builder.state != BuilderState::Gone);
    let ours = there().filter(|builder| builder.fingerprint == fingerprint);
    // The eldest, so that two who look at the same time choose the same.
    let builder = ours.max_by(|a, b| a.age.cmp(&b.age).then_with(|| b.id.cmp(&a.id)));
    let needless: Vec<String> = there()
        .filter(|other| builder.is_none_or(|builder| builder.id != other.id))
        .map(|builder| builder.id.clone())
        .collect();
    if !needless.is_empty() {
        return Next::End(needless);
    }
    let images = || seen.images.iter().filter(|image| image.fingerprint == fingerprint);
    if let Some(image) = images().filter(|image| image.state == ImageState::Available).max_by(newer) {
        return finish(image, builder, seen);
    }
    if let Some(failed) = images().find(|image| image.state == ImageState::Failed) {
        return Next::Discard(failed.id.clone());
    }
    if let Some(pending) = images().find(|image| image.state == ImageState::Pending) {
        return Next::Await(pending.id.clone());
    }
    builder.map_or(Next::Start, build)
}

/// Decides what follows from how a builder does.
fn build(builder: &Builder) -> Next {
    let give_up = |why: &str| Next::GiveUp { builder: builder.id.clone(), why: why.to_owned() };
    match (builder.state, &builder.outcome) {
        // Until it is off not all of it may be on its disk.
        (BuilderState::Stopped, Some(Outcome::Done)) => Next::Capture(builder.id.clone()),
        (BuilderState::Stopped, Some(Outcome::Failed(why))) => give_up(why),
        (_, _) if builder.age <= BUILD_WITHIN => Next::Watch(builder.id.clone()),
        (BuilderState::Stopped, None) => give_up("it is off and its console does not say how it went"),
        _ => give_up(&format!("it was not finished after {} minutes", BUILD_WITHIN.as_secs() / 60)),
    }
}

/// Decides what is left to do when there is an image: have it used, then tidy up.
fn finish(image: &Image, builder: Option<&Builder>, seen: &Seen) -> Next {
    if seen.in_use.as_deref() != Some(&image.id) {
        return Next::Use(image.id.clone());
    }
    if let Some(builder) = builder {
        return Next::End(vec![builder.id.clone()]);
    }
    let mut made: Vec<&Image> =
        seen.images.iter().filter(|image| image.state != ImageState::Pending).collect();
    made.sort_by(|a, b| newer(b, a));
    // The one in use counts among those that are kept, however old it is.
    let others = made.iter().filter(|other| other.id != image.id);
    if let Some(old) = others.skip(KEPT - 1).last() {
        return Next::Discard(old.id.clone());
    }
    // AWS may not yet say which snapshots an image is made of that it still makes.
    if made.len() == seen.images.len() {
        let used = |id: &&String| seen.images.iter().any(|image| image.snapshots.contains(id));
        if let Some(orphan) = seen.snapshots.iter().find(|id| !used(id)) {
            return Next::Drop(orphan.clone());
        }
    }
    Next::Done(image.id.clone())
}

fn newer(a: &&Image, b: &&Image) -> std::cmp::Ordering {
    (&a.created, &a.id).cmp(&(&b.created, &b.id))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OURS: &str = "f1";

    fn builder(id: &str, state: BuilderState, outcome: Option<Outcome>) -> Builder {
        Builder { id: id.into(), fingerprint: OURS.into(), state, age: Duration::from_secs(60), outcome }
    }

    fn image(id: &str, fingerprint: &str, state: ImageState, created: &str) -> Image {
        let snapshots = vec![format!("snap-of-{id}")];
        Image { id: id.into(), fingerprint: fingerprint.into(), state, created: created.into(), snapshots }
    }

    #[test]
    fn a_builder_that_is_off_becomes_an_image_only_if_it_says_that_it_is_done() {
        let of = |state, outcome| {
            next(OURS, &Seen { builders: vec![builder("i-1", state, outcome)], ..Seen::default() })
        };
        assert_eq!(of(BuilderState::Working, None), Next::Watch("i-1".into()));
        // Said, and not yet off: not all of it may be on the disk.
        assert_eq!(of(BuilderState::Working, Some(Outcome::Done)), Next::Watch("i-1".into()));
        assert_eq!(of(BuilderState::Stopped, Some(Outcome::Done)), Next::Capture("i-1".into()));
        let failed = of(BuilderState::Stopped, Some(Outcome::Failed("service: line 3".into())));
        assert_eq!(failed, Next::GiveUp { builder: "i-1".into(), why: "service: line 3".into() });
        // AWS posts the console's last lines some time after the end.
        assert_eq!(of(BuilderState::Stopped, None), Next::Watch("i-1".into()));
        assert_eq!(of(BuilderState::Gone, None), Next::Start);
    }

    #[test]
    fn patience_with_a_builder_has_an_end() {
        for state in [BuilderState::Working, BuilderState::Stopped] {
            let late = Builder { age: BUILD_WITHIN + Duration::from_secs(1), ..builder("i-1", state, None) };
            let decided = next(OURS, &Seen { builders: vec![late], ..Seen::default() });
            assert!(matches!(decided, Next::GiveUp { .. }), "{decided:?}");
        }
    }

    #[test]
    fn a_builder_of_another_recipe_goes_before_ours_comes() {
        let mut other = builder("i-1", BuilderState::Working, None);
        other.fingerprint = "f2".into();
        assert_eq!(
            next(OURS, &Seen { builders: vec![other], ..Seen::default() }),
            Next::End(vec!["i-1".into()])
        );
    }

    #[test]
    fn an_image_that_came_to_nothing_is_removed_before_another_has_its_name() {
        let failed = image("ami-1", OURS, ImageState::Failed, "1");
        let off = builder("i-1", BuilderState::Stopped, Some(Outcome::Done));
        let mut seen = Seen { builders: vec![off], images: vec![failed], ..Seen::default() };
        assert_eq!(next(OURS, &seen), Next::Discard("ami-1".into()));
        seen.images.clear();
        assert_eq!(next(OURS, &seen), Next::Capture("i-1".into()));
    }

    #[test]
    fn an_old_recipe_is_used_again_without_baking_and_its_image_is_not_among_those_that_go() {
        let images: Vec<_> = (1..=5)
            .map(|n| image(&format!("ami-{n}"), &format!("f{n}"), ImageState::Available, &n.to_string()))
            .collect();
        let mut seen = Seen { images, in_use: Some("ami-5".into()), ..Seen::default() };
        assert_eq!(next(OURS, &seen), Next::Use("ami-1".into()));
        seen.in_use = Some("ami-1".into());
        // 5 and 4 stay beside the one in use.
        assert_eq!(next(OURS, &seen), Next::Discard("ami-2".into()));
        seen.images.remove(1);
        assert_eq!(next(OURS, &seen), Next::Discard("ami-3".into()));
    }

    /// AWS as far as the decision needs it: does a step, at once or in part.
    fn act(seen: &mut Seen, step: &Next, number: usize) {
        match step {
            Next::Start => seen.builders.push(builder(&format!("i-{number}"), BuilderState::Working, None)),
            Next::Watch(id) => {
                let watched = seen.builders.iter_mut().find(|builder| builder.id == *id).unwrap();
                watched.state = BuilderState::Stopped;
                watched.outcome = Some(Outcome::Done);
            }
            Next::End(ids) => seen.builders.retain(|builder| !ids.contains(&builder.id)),
            Next::GiveUp { builder: id, .. } => seen.builders.retain(|builder| builder.id != *id),
            Next::Capture(_) => {
                let id = format!("ami-n{number}");
                seen.snapshots.push(format!("snap-of-{id}"));
                seen.images.push(image(&id, OURS, ImageState::Pending, "9"));
            }
            Next::Await(id) => {
                let made = seen.images.iter_mut().find(|image| image.id == *id).unwrap();
                made.state = ImageState::Available;
            }
            Next::Use(id) => seen.in_use = Some(id.clone()),
            Next::Discard(id) => seen.images.retain(|image| image.id != *id),
            Next::Drop(id) => seen.snapshots.retain(|snapshot| snapshot != id),
            Next::Done(_) => {}
        }
    }

    fn anything() -> impl Strategy<Value = Seen> {
        let fingerprint = prop::sample::select(vec![OURS, "f2", "f3"]);
        let state =
            prop::sample::select(vec![BuilderState::Working, BuilderState::Stopped, BuilderState::Gone]);
        let outcome =
            prop::sample::select(vec![None, Some(Outcome::Done), Some(Outcome::Failed("x".into()))]);
        let builder = (fingerprint.clone(), state, outcome, 0u64..4000);
        let image_state =
            prop::sample::select(vec![ImageState::Available, ImageState::Failed, ImageState::Pending]);
        let builders = prop::collection::vec(builder, 0..4);
        let images = prop::collection::vec((fingerprint, image_state, 0u8..9), 0..7);
        (builders, images, prop::option::of(0usize..7), 0usize..3).prop_map(
            |(builders, images, used, orphans)| {
                let builder = |(n, (fingerprint, state, outcome, age)): (usize, (&str, _, _, u64))| Builder {
                    id: format!("i-old{n}"),
                    fingerprint: fingerprint.into(),
                    state,
                    age: Duration::from_secs(age),
                    outcome,
                };
                let builders = builders.into_iter().enumerate().map(builder).collect();
                let image = |(n, (fingerprint, state, created)): (usize, (&str, _, u8))| {
                    image(&format!("ami-{n}"), fingerprint, state, &created.to_string())
                };
                let mut images: Vec<Image> = images.into_iter().enumerate().map(image).collect();
                if let Some(used) = used.and_then(|n| images.get_mut(n)) {
                    used.state = ImageState::Available;
                }
                let made_of = images.iter().flat_map(|image| image.snapshots.clone());
                let snapshots = made_of.chain((0..orphans).map(|n| format!("snap-orphan{n}"))).collect();
                let in_use = used.map(|n| format!("ami-{n}"));
                Seen { builders, images, snapshots, in_use, console: Vec::new() }
            },
        )
    }

    proptest! {
        #[test]
        fn from_anything_it_comes_to_one_image_in_use_and_no_builder(begin in anything()) {
            let mut seen = begin.clone();
            for number in 0..60 {
                let step = next(OURS, &seen);
                if let Next::Discard(id) | Next::Drop(id) = &step {
                    prop_assert_ne!(seen.in_use.as_ref(), Some(id));
                }
                if let Next::Done(image) = &step {
                    let made = seen.images.iter().find(|made| made.id == *image).unwrap();
                    prop_assert!(made.fingerprint == OURS && made.state == ImageState::Available);
                    prop_assert_eq!(seen.in_use.as_ref(), Some(image));
                    prop_assert!(seen.builders.iter().all(|builder| builder.state == BuilderState::Gone));
                    let made = seen.images.iter().filter(|image| image.state != ImageState::Pending);
                    prop_assert!(made.count() <= KEPT);
                    return Ok(());
                }
                if step == Next::Start {
                    prop_assert!(seen.builders.iter().all(|builder| builder.state == BuilderState::Gone));
                }
                act(&mut seen, &step, number);
                let there = seen.builders.iter().filter(|builder| builder.state != BuilderState::Gone).count();
                let before = begin.builders.iter().filter(|builder| builder.state != BuilderState::Gone).count();
                prop_assert!(there <= before.max(1));
            }
            prop_assert!(false, "it comes to no end: {:?}", next(OURS, &seen));
        }
    }
}
