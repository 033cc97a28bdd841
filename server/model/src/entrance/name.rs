//! Names of target groups. `ELBv2` allows 32 letters, digits and dashes; what a group is for is said in its tags.

use crate::id::AppId;

/// The most characters that a name may have.
const LENGTH: usize = 32;

/// How much of a cluster's name is in it: all of it, since what the control plane may touch begins with that.
const CLUSTER_MAX: usize = 16;

/// Returns the name of the target group of an app on a balancer: `paas-CLUSTER-` and 10 to 16 hexadecimal digits. A group belongs
/// to one balancer, so that an app which moves gets another one.
#[must_use]
pub fn group_name(cluster: &str, app: AppId, balancer: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
    let cluster: String = cluster.chars().filter(plain).take(CLUSTER_MAX).collect();
    // FNV-1a of 64 bits: among thousands of groups two alike are not to be expected, not even by 40 bits of it.
    let digit = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let bytes = app.0.as_bytes().iter().copied().chain(balancer.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, digit);
    let begin = format!("paas-{cluster}-");
    let digits = (LENGTH - begin.len()).min(16);
    format!("{begin}{:0digits$x}", hash >> (64 - 4 * digits))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_app_has_a_name_of_its_own_on_each_balancer() {
        let apps: Vec<AppId> = (0..3_000).map(|_| AppId::new()).collect();
        let names = apps.iter().flat_map(|app| ["a", "b"].map(|balancer| group_name("main", *app, balancer)));
        assert_eq!(names.collect::<BTreeSet<_>>().len(), 6_000);
    }

    #[test]
    fn the_name_begins_with_all_of_the_clusters() {
        let name = group_name("my-prod-eu-west1", AppId::new(), "a");
        assert!(name.starts_with("paas-my-prod-eu-west1-") && name.len() == 32, "{name}");
    }

    proptest! {
        #[test]
        fn a_name_is_one_that_is_allowed(cluster in ".{0,40}", balancer in ".{0,40}") {
            let name = group_name(&cluster, AppId::new(), &balancer);
            prop_assert!(name.len() <= 32, "{name}");
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
            prop_assert!(!name.starts_with('-') && !name.ends_with('-'));
        }
    }
}
