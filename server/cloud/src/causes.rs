//! Why something does not work just now: told when it is another reason than before, and not with every attempt.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// What came up again within this time is no news. It is counted from the last time, so that what goes on is told once.
const KNOWN: SignedDuration = SignedDuration::from_mins(15);

/// A word with so many digits is a time, a name or a number, which differ from one answer to the next.
const DIGITS: usize = 4;

/// A longer word is something encoded.
const WORD: usize = 60;

/// The reasons that were told.
#[derive(Clone, Debug, Default)]
pub struct Causes(BTreeMap<(&'static str, String), Timestamp>);

impl Causes {
    /// Takes note of why something does not work, and tells whether people do not know that yet.
    pub fn is_news(&mut self, what: &'static str, why: &str, now: Timestamp) -> bool {
        self.0.retain(|_, last| now.duration_since(*last) < KNOWN);
        self.0.insert((what, gist(why)), now).is_none()
    }
}

/// Returns what two answers with the same reason have in common.
fn gist(why: &str) -> String {
    let says = |word: &&str| word.len() <= WORD && word.bytes().filter(u8::is_ascii_digit).count() < DIGITS;
    why.split_whitespace().filter(says).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    #[test]
    fn a_reason_is_news_once_for_as_long_as_it_lasts() {
        let mut causes = Causes::default();
        let told: Vec<i64> = (0..60).filter(|n| causes.is_news("list", "rate exceeded", at(*n))).collect();
        assert_eq!(told, [0]);
        assert!(causes.is_news("list", "it is not allowed", at(60)), "another reason");
        assert!(causes.is_news("end", "it is not allowed", at(60)), "of something else");
        assert!(!causes.is_news("list", "rate exceeded", at(61)), "it comes and goes");
        assert!(causes.is_news("list", "rate exceeded", at(80)), "it was gone for a while");
    }

    #[test]
    fn what_differs_in_each_answer_is_no_other_reason() {
        let mut causes = Causes::default();
        let expired =
            |time: &str| format!("ec2:DescribeInstances: expired (RequestExpired: {time} is too late)");
        let denied = |call: &str, code: &str| {
            format!("{call}: AWS does not allow this, i-0{code}: {}", code.repeat(20))
        };
        assert!(causes.is_news("list", &expired("20261123T012305Z"), at(0)));
        assert!(!causes.is_news("list", &expired("20261123T012325Z"), at(0)));
        assert!(causes.is_news("list", &denied("ec2:DescribeInstances", "12345a"), at(0)));
        assert!(!causes.is_news("list", &denied("ec2:DescribeInstances", "67890b"), at(0)));
        assert!(causes.is_news("list", &denied("ec2:DescribeInstanceStatus", "67890b"), at(0)));
    }
}
