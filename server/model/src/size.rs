//! Sizes of replicas: how much of a host one may use. The names are Heroku's, so that its tools work.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A size of replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Size {
    /// 512 MB.
    Basic,
    /// 512 MB, the size of a new process type.
    #[default]
    Standard1X,
    /// 1 GB.
    Standard2X,
    /// 2.5 GB.
    PerformanceM,
    /// 14 GB.
    PerformanceL,
}

impl Size {
    /// All sizes, smallest first.
    pub const ALL: [Self; 5] =
        [Self::Basic, Self::Standard1X, Self::Standard2X, Self::PerformanceM, Self::PerformanceL];

    /// Returns the one spelling that is shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "Basic",
            Self::Standard1X => "Standard-1X",
            Self::Standard2X => "Standard-2X",
            Self::PerformanceM => "Performance-M",
            Self::PerformanceL => "Performance-L",
        }
    }

    /// Returns the memory limit in megabytes of 2^20 bytes.
    #[must_use]
    pub fn memory_mb(self) -> u64 {
        match self {
            Self::Basic | Self::Standard1X => 512,
            Self::Standard2X => 1024,
            Self::PerformanceM => 2560,
            Self::PerformanceL => 14 * 1024,
        }
    }

    /// Returns the share of the CPU under contention, relative to the others.
    #[must_use]
    pub fn cpu_shares(self) -> u64 {
        match self {
            Self::Basic | Self::Standard1X => 1024,
            Self::Standard2X => 2048,
            Self::PerformanceM => 4096,
            Self::PerformanceL => 8192,
        }
    }
}

impl Size {
    /// Returns what a host must have left of its CPU for a replica of this size, in thousandths of a core. The share is what
    /// it gets under contention, not what it uses: ten of the smallest are placed per core.
    #[must_use]
    pub fn cpu_millicores(self) -> u64 {
        self.cpu_shares() * 100 / 1024
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|size| size.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
            let all: Vec<_> = Self::ALL.iter().map(|size| size.as_str()).collect();
            format!("there is no size `{}`; the sizes are {}", text.escape_debug(), all.join(", "))
        })
    }
}

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Size> for String {
    fn from(size: Size) -> String {
        size.as_str().to_owned()
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
