//! A toy platform with apps, releases, images and a collector that may be late, run through random histories.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Two apps may build the same image, as a number here; a slug is an app's row for one.
#[derive(Clone, Debug)]
struct Row {
    app: usize,
    image: u8,
    slug: SlugId,
    kept: bool,
    released_at: Timestamp,
}

#[derive(Clone, Debug, Default)]
struct ToyApp {
    destroyed: bool,
    /// Slug and whether it succeeded, by number.
    releases: Vec<(SlugId, bool)>,
    serving: Option<SlugId>,
    /// Put into the store by a build that has made no release yet.
    building: Option<(u8, Timestamp)>,
}

#[derive(Clone, Debug)]
enum Step {
    Put(usize, u8),
    Release(usize, bool),
    RollBack(usize, u64, bool),
    Destroy(usize),
    Mark,
    Remove,
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..2_usize, 0..30_u8).prop_map(|(app, image)| Step::Put(app, image)),
        6 => (0..2_usize, any::<bool>()).prop_map(|(app, good)| Step::Release(app, good)),
        2 => (0..2_usize, 1..40_u64, any::<bool>()).prop_map(|(app, back, good)| Step::RollBack(app, back, good)),
        1 => Just(Step::Destroy(1)),
        4 => Just(Step::Mark),
        4 => Just(Step::Remove),
        4 => (0..2_000_000_i64).prop_map(Step::Wait),
    ]
}

struct Toy {
    now: Timestamp,
    apps: [ToyApp; 2],
    rows: Vec<Row>,
    /// When each image was last put.
    images: BTreeMap<u8, Timestamp>,
}

impl Toy {
    fn new() -> Self {
        Self {
            now: Timestamp::UNIX_EPOCH,
            apps: Default::default(),
            rows: Vec::new(),
            images: BTreeMap::new(),
        }
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Put(app, image) if !self.apps[app].destroyed => {
                self.images.insert(image, self.now);
                self.apps[app].building = Some((image, self.now));
            }
            Step::Release(app, good) => self.release(app, good),
            Step::RollBack(app, back, good) => self.roll_back(app, back, good),
            Step::Destroy(app) => {
                self.apps[app] =
                    ToyApp { destroyed: true, serving: None, building: None, ..self.apps[app].clone() };
            }
            Step::Mark => self.mark(),
            Step::Remove => self.remove(),
            Step::Wait(milliseconds) => self.now += SignedDuration::from_millis(milliseconds),
            Step::Put(..) => {}
        }
    }

    fn release(&mut self, app: usize, good: bool) {
        let Some((image, _)) = self.apps[app].building.take() else { return };
        let present = self.rows.iter_mut().find(|row| row.app == app && row.image == image);
        let slug = if let Some(row) = present {
            (row.kept, row.released_at) = (true, self.now);
            row.slug
        } else {
            let slug = SlugId::new();
            self.rows.push(Row { app, image, slug, kept: true, released_at: self.now });
            slug
        };
        self.add(app, slug, good);
    }

    fn add(&mut self, app: usize, slug: SlugId, good: bool) {
        self.apps[app].releases.push((slug, good));
        if good {
            self.apps[app].serving = Some(slug);
        }
    }

    fn roll_back(&mut self, app: usize, back: u64, good: bool) {
        let releases = &self.apps[app].releases;
        let at = releases.len().checked_sub(usize::try_from(back).unwrap());
        let Some((slug, _)) = at.map(|at| releases[at]) else { return };
        if !self.apps[app].destroyed && self.rows.iter().any(|row| row.slug == slug && row.kept) {
            self.add(app, slug, good);
        }
    }

    fn view(&self, app: usize) -> AppSlugs {
        let toy = &self.apps[app];
        let kept = self.rows.iter().filter(|row| row.app == app && row.kept);
        let slugs: BTreeSet<SlugId> = kept.map(|row| row.slug).collect();
        let uses = (1..).zip(&toy.releases).map(|(number, (slug, succeeded))| SlugUse {
            version: Version(number),
            succeeded: *succeeded,
            slug: *slug,
        });
        AppSlugs {
            destroyed: toy.destroyed,
            uses: uses.filter(|release| slugs.contains(&release.slug)).collect(),
            slugs,
            pinned: toy.serving.into_iter().collect(),
        }
    }

    fn mark(&mut self) {
        for app in 0..self.apps.len() {
            let unneeded = self.view(app).unneeded();
            for row in self.rows.iter_mut().filter(|row| unneeded.contains(&row.slug)) {
                row.kept = false;
            }
        }
    }

    fn remove(&mut self) {
        let (rows, now) = (&self.rows, self.now);
        self.images.retain(|image, put_at| {
            let of_image = || rows.iter().filter(|row| row.image == *image);
            let released_at = of_image().map(|row| row.released_at).max();
            !image_may_go(*put_at, ImageUse { needed: of_image().any(|row| row.kept), released_at }, now)
        });
    }

    /// What users were promised.
    fn check(&self) {
        for toy in self.apps.iter().filter(|toy| !toy.destroyed) {
            let recent = within_reach(toy.releases.iter().rev());
            let served = within_reach(toy.releases.iter().rev().filter(|(_, good)| *good));
            for slug in recent.iter().chain(&served).chain(&toy.serving) {
                let row = self.rows.iter().find(|row| row.slug == *slug).unwrap();
                assert!(row.kept && self.images.contains_key(&row.image), "{row:?} is needed");
            }
            if let Some((image, put_at)) = toy.building {
                let young = self.now.duration_since(put_at) <= UNRELEASED;
                assert!(!young || self.images.contains_key(&image), "{image} is about to be released");
            }
        }
    }
}

/// Goes back until a twenty-first slug.
fn within_reach<'a>(newest_first: impl Iterator<Item = &'a (SlugId, bool)>) -> BTreeSet<SlugId> {
    newest_first.fold(BTreeSet::new(), |mut slugs, (slug, _)| {
        if slugs.len() < 20 || slugs.contains(slug) {
            slugs.insert(*slug);
        }
        slugs
    })
}

proptest! {
    #[test]
    fn whatever_happens_no_release_within_reach_loses_its_image(steps in prop::collection::vec(step(), 0..200)) {
        let mut toy = Toy::new();
        for step in &steps {
            // A build that took longer than an image lies without a release would put it again.
            let late = |toy: &ToyApp, now: Timestamp| {
                toy.building.is_some_and(|(_, at)| now.duration_since(at) > UNRELEASED)
            };
            let now = toy.now;
            toy.apps.iter_mut().filter(|app| late(app, now)).for_each(|app| app.building = None);
            toy.run(step);
            toy.check();
        }
        // And what nobody needs does go.
        toy.apps.iter_mut().for_each(|app| app.building = None);
        toy.mark();
        toy.now += UNRELEASED + SignedDuration::from_secs(1);
        toy.remove();
        let kept: BTreeSet<u8> = toy.rows.iter().filter(|row| row.kept).map(|row| row.image).collect();
        prop_assert_eq!(toy.images.keys().copied().collect::<BTreeSet<u8>>(), kept);
        prop_assert!(toy.rows.iter().filter(|row| row.kept).count() <= 2 * 2 * 20);
    }
}

#[test]
fn failed_deploys_do_not_push_out_what_served() {
    let slugs: Vec<SlugId> = (0..30).map(|_| SlugId::new()).collect();
    let uses = (1..).zip(&slugs);
    let uses =
        uses.map(|(n, slug)| SlugUse { version: Version(n), succeeded: n == 1, slug: *slug }).collect();
    let app = AppSlugs { slugs: slugs.iter().copied().collect(), uses, ..AppSlugs::default() };
    let gone = app.unneeded();
    assert!(!gone.contains(&slugs[0]), "the only one that served");
    assert_eq!(gone, slugs[1..10].iter().copied().collect());
}

#[test]
fn changes_of_config_do_not_push_out_slugs() {
    let slugs: Vec<SlugId> = (0..21).map(|_| SlugId::new()).collect();
    let deploys = slugs.iter().copied();
    let changes = std::iter::repeat_n(slugs[20], 100);
    let uses = (1..).zip(deploys.chain(changes));
    let uses = uses.map(|(n, slug)| SlugUse { version: Version(n), succeeded: true, slug }).collect();
    let app = AppSlugs { slugs: slugs.iter().copied().collect(), uses, ..AppSlugs::default() };
    assert_eq!(app.unneeded(), [slugs[0]].into());
}

#[test]
fn a_destroyed_app_keeps_only_what_still_runs() {
    let (runs, other) = (SlugId::new(), SlugId::new());
    let uses = vec![SlugUse { version: Version(1), succeeded: true, slug: other }];
    let app = AppSlugs { destroyed: true, slugs: [runs, other].into(), uses, pinned: [runs].into() };
    assert_eq!(app.unneeded(), [other].into());
}
