//! What instances of a type offer, told by the name: AWS names them by family and size, and within a family memory and
//! cores grow with the size. Of others it is said with the name.

use std::str::FromStr;

use super::room::Room;
use super::settings::InstanceType;

/// Of the memory that a type is sold with, so many hundredths are there when the system runs.
const MEMORY_PERCENT: u64 = 93;

/// Longest name of a type.
const NAME_MAX: usize = 40;

/// The kind of a processor, which an image is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Intel's and AMD's.
    X86,
    /// AWS's own.
    Arm,
}

impl Architecture {
    /// Returns the kind of a type's processor: families such as `m7g` and `c8gn` have a `g` behind the generation.
    #[must_use]
    pub fn of(instance_type: &str) -> Self {
        let family = instance_type.split('.').next().unwrap_or_default();
        let options = family.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let options = options.trim_start_matches(|c: char| c.is_ascii_digit());
        if options.starts_with('g') { Self::Arm } else { Self::X86 }
    }
}

/// Returns gigabytes and cores of a type, if they follow from its name.
fn sold_with(name: &str) -> Option<(u64, u64)> {
    let (family, size) = name.split_once('.')?;
    let generation = family.find(|c: char| c.is_ascii_digit())?;
    let per_core = match &family[..generation] {
        "t" => return small(size),
        "c" => 2,
        "m" => 4,
        "r" => 8,
        _ => return None,
    };
    let cores = match size {
        "medium" => 1,
        "large" => 2,
        "xlarge" => 4,
        _ => size.strip_suffix("xlarge")?.parse::<u64>().ok().filter(|times| (2..=48).contains(times))? * 4,
    };
    Some((cores * per_core, cores))
}

/// Of the families that may use a core in bursts only.
fn small(size: &str) -> Option<(u64, u64)> {
    Some(match size {
        "micro" => (1, 2),
        "small" => (2, 2),
        "medium" => (4, 2),
        "large" => (8, 2),
        "xlarge" => (16, 4),
        "2xlarge" => (32, 8),
        _ => return None,
    })
}

/// A text that is no type of instance, or none whose room is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadType {
    /// It is none.
    #[error("`{0}` is no type of instance; one is `m7g.large`")]
    NoName(String),
    /// Its name does not say what it has.
    #[error("what {0} has is not known; say it in gigabytes and cores: `{0}=16:4`")]
    Unknown(String),
    /// A replica would not fit.
    #[error("{0} would have less than a gigabyte or no core")]
    TooSmall(String),
}

impl FromStr for InstanceType {
    type Err = BadType;

    /// Reads `m7g.large`, or `x9.huge=16:4` with gigabytes and cores.
    fn from_str(text: &str) -> Result<Self, BadType> {
        let (name, said) = text.split_once('=').map_or((text, None), |(name, said)| (name, Some(said)));
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        let named = name.split_once('.').is_some_and(|(family, size)| !family.is_empty() && !size.is_empty());
        if !named || name.len() > NAME_MAX || !name.chars().all(plain) {
            return Err(BadType::NoName(
                text.chars().take(NAME_MAX).collect::<String>().escape_debug().to_string(),
            ));
        }
        let read = |said: &str| {
            let (gigabytes, cores) = said.split_once(':')?;
            Some((gigabytes.parse::<u64>().ok()?, cores.parse::<u64>().ok()?))
        };
        let has = said.map_or_else(|| sold_with(name), read);
        let (gigabytes, cores) = has.ok_or_else(|| BadType::Unknown(name.to_owned()))?;
        if !(1..=100_000).contains(&gigabytes) || !(1..=10_000).contains(&cores) {
            return Err(BadType::TooSmall(name.to_owned()));
        }
        let offers =
            Room { memory_mb: gigabytes * 1024 * MEMORY_PERCENT / 100, cpu_millicores: cores * 1_000 };
        Ok(Self { name: name.to_owned(), offers })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sold(name: &str) -> Option<(u64, u64)> {
        sold_with(name)
    }

    #[test]
    fn types_have_what_the_list_of_aws_says() {
        for (name, has) in [
            ("t3.micro", (1, 2)),
            ("t4g.xlarge", (16, 4)),
            ("m7g.medium", (4, 1)),
            ("m7g.large", (8, 2)),
            ("c6i.4xlarge", (32, 16)),
            ("r6i.2xlarge", (64, 8)),
        ] {
            assert_eq!(sold(name), Some(has), "{name}");
        }
        for odd in ["x2idn.16xlarge", "m7g.metal", "m7g", "", "m7g.0xlarge", ".large"] {
            assert_eq!(sold(odd), None, "{odd}");
        }
    }

    #[test]
    fn what_a_name_does_not_say_is_said_with_it() {
        let own: InstanceType = "x9.huge=16:4".parse().unwrap();
        assert_eq!((own.name.as_str(), own.offers.cpu_millicores), ("x9.huge", 4_000));
        assert!(own.offers.memory_mb < 16 * 1024, "the system takes some");
        let refused = |text: &str| text.parse::<InstanceType>().unwrap_err().to_string();
        assert!(refused("x9.huge").contains("`x9.huge=16:4`"));
        assert!(refused("x9.huge=0:4").contains("less than a gigabyte"));
        assert!(refused("Large").contains("m7g.large"));
    }

    #[test]
    fn a_g_behind_the_generation_is_an_arm() {
        for (name, architecture) in [
            ("m7g.large", Architecture::Arm),
            ("c7gn.large", Architecture::Arm),
            ("t4g.micro", Architecture::Arm),
            ("m6i.large", Architecture::X86),
            ("g4dn.xlarge", Architecture::X86),
        ] {
            assert_eq!(Architecture::of(name), architecture, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,60}") {
            if let Ok(read) = text.parse::<InstanceType>() {
                prop_assert!(read.offers.memory_mb > 0 && read.offers.cpu_millicores > 0);
            }
        }
    }
}
