//! What the load balancers' word on a replica is to the people whose app it is.

use cloud::entrance::{Outcome, Wanted};
use model::entrance::TargetHealth;
use model::id::ReplicaId;

/// Returns why visitors do not reach a replica that its host finds healthy; nothing if they do, or if nobody knows.
pub(super) fn of(wanted: &Wanted, outcome: &Outcome, id: ReplicaId) -> Option<String> {
    let is_here = matches!(wanted.targets.get(&id), Some(Some(_)));
    let Some(word) = outcome.words.get(&id) else {
        let nowhere =
            "runs on a host that is no instance of the cloud, so that the load balancer cannot reach it";
        return match is_here {
            true => outcome.without.get(&id).map(|why| format!("is healthy, but {why}")),
            false => wanted.targets.contains_key(&id).then(|| nowhere.to_owned()),
        };
    };
    match &word.health {
        None => Some("is healthy, but not registered at the load balancer yet".to_owned()),
        Some(TargetHealth::Healthy) => None,
        Some(health @ TargetHealth::Unhealthy { .. }) => Some(format!(
            "is healthy where it runs, but {health}: it must listen on 0.0.0.0:$PORT, not on 127.0.0.1 alone, and answer \
             below 500 whatever the Host header is"
        )),
        Some(health) => Some(format!("is healthy, but {health}")),
    }
}

#[cfg(test)]
mod tests {
    use cloud::entrance::Word;
    use jiff::Timestamp;
    use model::entrance::Target;

    use super::*;

    #[test]
    fn one_that_only_its_host_reaches_is_told_where_to_listen() {
        let id = ReplicaId::new();
        let target = Target { instance: "i-1".parse().unwrap(), port: 20_000 };
        let wanted = Wanted { targets: [(id, Some(target))].into(), ..Wanted::default() };
        let says = |health| {
            let word = Word { health, at: Timestamp::UNIX_EPOCH };
            of(&wanted, &Outcome { words: [(id, word)].into(), ..Outcome::default() }, id)
        };
        let unhealthy = says(Some(TargetHealth::of("unhealthy", "Target.FailedHealthChecks"))).unwrap();
        assert!(
            unhealthy
                .contains("(Target.FailedHealthChecks): it must listen on 0.0.0.0:$PORT, not on 127.0.0.1")
        );
        let initial = says(Some(TargetHealth::Initial)).unwrap();
        assert_eq!(initial, "is healthy, but the load balancer has not checked it often enough yet");
        assert_eq!(says(Some(TargetHealth::Healthy)), None);
        let without = [(id, "no load balancer has room".to_owned())].into();
        let crowded = of(&wanted, &Outcome { without, ..Outcome::default() }, id).unwrap();
        assert_eq!(crowded, "is healthy, but no load balancer has room");
        let elsewhere = Wanted { targets: [(id, None)].into(), ..Wanted::default() };
        assert!(of(&elsewhere, &Outcome::default(), id).unwrap().contains("no instance of the cloud"));
    }
}
