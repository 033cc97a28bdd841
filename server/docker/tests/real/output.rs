//! Output from containers into the app's log.

use model::replica::{Phase, ReplicaSpec, Wish};

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn lines_come_in_order_whole_and_also_the_last_one() {
    let Some(mut stage) = Stage::new().await else { return };
    let slug = stage.slug(&[("file", "")]).await;
    let command = "seq 20000; head -c 40000 /dev/zero | tr '\\0' x; echo; printf 'no newline'";
    let job = ReplicaSpec { wish: Wish::Once { seconds: 60 }, ..stage.spec(&slug, "job", command) };
    stage.desire(&[&job]);
    stage.phase(&job, Phase::Ended).await;
    stage.logged("app[job.1]: no newline").await;
    let lines: Vec<_> =
        stage.log().iter().filter_map(|l| l.strip_prefix("app[job.1]: ").map(str::to_owned)).collect();
    let counted: Vec<_> = lines.iter().filter_map(|line| line.parse::<u32>().ok()).collect();
    assert_eq!(counted, (1..=20_000).collect::<Vec<_>>());
    let long: usize = lines.iter().filter(|line| line.starts_with('x')).map(String::len).sum();
    assert_eq!(long, 40_000);
    stage.leave().await;
}
