//! Samples as the text of a row: a line each, so that rows of the same minute are joined by putting one after the other.
//!
//! A line is `SLOT CLASSES SUM BUCKETS REPLICA…`, such as `2 80,0,1,0,0 512 0:60,3:21 web.1=250/47 web.2=x`: the
//! counts by class and of tunnels, the sum of the response times in milliseconds, the buckets that are not empty, and
//! thousandths of a core and MiB per replica; `-` is what is not known, `x` a replica that is gone. One is named by `web.1`
//! or, by agents that bring their minutes, by `web.1@ID`. `web.1+80/1` are its requests and how many of them were errors.

use std::fmt::Write as _;

use super::histogram::{BUCKETS, Histogram};
use super::traffic::{CLASSES, Traffic, Visits};
use super::{Reading, Sample};

/// Returns the samples as text.
#[must_use]
pub fn pack(samples: &[Sample]) -> String {
    let mut text = String::new();
    for sample in samples {
        let traffic = &sample.traffic;
        let _ = write!(text, "{} ", sample.slot);
        if traffic.is_empty() {
            text.push_str("- - -");
        } else {
            for class in traffic.classes {
                let _ = write!(text, "{class},");
            }
            let _ = write!(text, "{} {} ", traffic.tunnels, traffic.latency.sum_ms);
            let buckets = traffic.latency.buckets.iter().enumerate().filter(|(_, n)| **n > 0);
            let buckets: Vec<_> = buckets.map(|(at, n)| format!("{at}:{n}")).collect();
            text.push_str(if buckets.is_empty() { "-" } else { "" });
            text.push_str(&buckets.join(","));
        }
        for (name, reading) in &sample.replicas {
            let or_dash =
                |value: Option<u32>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
            let _ = match reading {
                None => write!(text, " {name}=x"),
                Some(Reading { millicores, memory_mib }) => {
                    write!(text, " {name}={}/{}", or_dash(*millicores), or_dash(*memory_mib))
                }
            };
        }
        for (name, visits) in &sample.visits {
            let _ = write!(text, " {name}+{}/{}", visits.requests, visits.errors);
        }
        text.push('\n');
    }
    text
}

/// Returns the samples of a text. A line that cannot be read is left out: a gap in a chart is better than no chart.
#[must_use]
pub fn unpack(text: &str) -> Vec<Sample> {
    text.lines().filter_map(sample).collect()
}

fn sample(line: &str) -> Option<Sample> {
    let mut words = line.split(' ');
    let slot = words.next()?.parse().ok()?;
    let traffic = traffic(words.next()?, words.next()?, words.next()?)?;
    let (visits, replicas): (Vec<_>, Vec<_>) = words.partition(|word| word.contains('+'));
    let replicas = replicas.into_iter().map(replica).collect::<Option<Vec<_>>>()?;
    let visits = visits.into_iter().map(visited).collect::<Option<Vec<_>>>()?;
    Some(Sample { slot, traffic, replicas, visits })
}

fn traffic(counts: &str, sum: &str, buckets: &str) -> Option<Traffic> {
    if counts == "-" {
        return Some(Traffic::default());
    }
    let counts: Vec<u64> = counts.split(',').map(|n| n.parse().ok()).collect::<Option<_>>()?;
    let (classes, [tunnels]) = counts.split_first_chunk::<{ CLASSES.len() }>()? else { return None };
    let mut latency = Histogram { buckets: [0; BUCKETS], sum_ms: sum.parse().ok()? };
    for bucket in buckets.split(',').filter(|bucket| *bucket != "-") {
        let (at, n) = bucket.split_once(':')?;
        *latency.buckets.get_mut(at.parse::<usize>().ok()?)? = n.parse().ok()?;
    }
    Some(Traffic { classes: *classes, tunnels: *tunnels, latency })
}

fn replica(word: &str) -> Option<(String, Option<Reading>)> {
    let (name, reading) = word.rsplit_once('=')?;
    if reading == "x" {
        return Some((name.to_owned(), None));
    }
    let (millicores, memory_mib) = reading.split_once('/')?;
    let value = |text: &str| if text == "-" { Some(None) } else { text.parse().ok().map(Some) };
    Some((name.to_owned(), Some(Reading { millicores: value(millicores)?, memory_mib: value(memory_mib)? })))
}

fn visited(word: &str) -> Option<(String, Visits)> {
    let (name, counts) = word.rsplit_once('+')?;
    let (requests, errors) = counts.split_once('/')?;
    Some((name.to_owned(), Visits { requests: requests.parse().ok()?, errors: errors.parse().ok()? }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn any_traffic()(
            classes: [u32; CLASSES.len()], tunnels: u32, sum_ms: u32,
            durations in prop::collection::vec(0_u64..90_000, 0..20),
        ) -> Traffic {
            let mut latency = Histogram::default();
            durations.iter().for_each(|ms| latency.record(*ms));
            latency.sum_ms = sum_ms.into();
            Traffic { classes: classes.map(u64::from), tunnels: tunnels.into(), latency }
        }
    }

    prop_compose! {
        fn any_sample()(
            slot in 0_u64..6, traffic in prop_oneof![Just(Traffic::default()), any_traffic()],
            replicas in prop::collection::vec(
                ("[a-z][a-z0-9_-]{0,8}\\.[1-9]", prop::option::of((any::<Option<u32>>(), any::<Option<u32>>()))), 0..4,
            ),
            visits in prop::collection::vec(("[a-z][a-z0-9_-]{0,8}\\.[1-9]", any::<u32>(), any::<u32>()), 0..3),
        ) -> Sample {
            let reading = |(millicores, memory_mib)| Reading { millicores, memory_mib };
            let replicas = replicas.into_iter().map(|(name, of): (String, Option<_>)| (name, of.map(reading)));
            let visits = visits.into_iter().map(|(name, requests, errors): (String, u32, u32)| {
                (name, Visits { requests: requests.into(), errors: errors.into() })
            });
            Sample { slot, traffic, replicas: replicas.collect(), visits: visits.collect() }
        }
    }

    proptest! {
        #[test]
        fn what_was_packed_is_read_back_also_when_rows_are_joined(
            a in prop::collection::vec(any_sample(), 0..7), b in prop::collection::vec(any_sample(), 0..7),
        ) {
            let joined = format!("{}{}", pack(&a), pack(&b));
            prop_assert_eq!(unpack(&joined), [a, b].concat());
        }

        #[test]
        fn no_text_is_a_surprise(text in "[0-9,:/=+x. \n-]{0,80}") {
            let _ = unpack(&text);
        }
    }

    #[test]
    fn a_line_is_as_short_as_the_header_says() {
        let mut traffic = Traffic { classes: [80, 0, 1, 0], ..Traffic::default() };
        (traffic.latency.buckets[0], traffic.latency.buckets[3], traffic.latency.sum_ms) = (60, 21, 512);
        let reading = Reading { millicores: Some(250), memory_mib: Some(47) };
        let replicas = vec![("web.1".to_owned(), Some(reading)), ("web.2".to_owned(), None)];
        let visits = vec![("web.1".to_owned(), Visits { requests: 81, errors: 0 })];
        let packed = pack(&[Sample { slot: 2, traffic, replicas, visits }]);
        assert_eq!(packed, "2 80,0,1,0,0 512 0:60,3:21 web.1=250/47 web.2=x web.1+81/0\n");
        let readable = "nonsense\n9 1,2,3\n2 80,0,1,0,0 512 99:60\n1 - - - web.1=1/2\n";
        assert_eq!(unpack(readable).len(), 1, "what cannot be read is left out");
    }
}
