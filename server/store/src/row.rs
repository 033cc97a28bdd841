//! Reads columns as the types of the domain, and writes those types as columns.

use std::fmt::Display;
use std::str::FromStr;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::error::{Error, Result};

/// Reads the columns of one row.
pub(crate) trait Columns {
    fn text(&self, column: &str) -> Result<String>;
    fn text_or_none(&self, column: &str) -> Result<Option<String>>;
    fn integer(&self, column: &str) -> Result<i64>;
    fn integer_or_none(&self, column: &str) -> Result<Option<i64>>;

    fn flag(&self, column: &str) -> Result<bool> {
        Ok(self.integer(column)? != 0)
    }

    fn parsed<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T> {
        parse(column, &self.text(column)?)
    }

    fn parsed_or_none<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>> {
        self.text_or_none(column)?.map(|text| parse(column, &text)).transpose()
    }

    fn number<T: TryFrom<i64, Error: Display>>(&self, column: &str) -> Result<T> {
        fit(column, self.integer(column)?)
    }

    fn number_or_none<T: TryFrom<i64, Error: Display>>(&self, column: &str) -> Result<Option<T>> {
        self.integer_or_none(column)?.map(|value| fit(column, value)).transpose()
    }

    fn time(&self, column: &str) -> Result<Timestamp> {
        timestamp(column, self.integer(column)?)
    }

    fn time_or_none(&self, column: &str) -> Result<Option<Timestamp>> {
        self.integer_or_none(column)?.map(|value| timestamp(column, value)).transpose()
    }

    fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        unjson(column, &self.text(column)?)
    }

    fn json_or_none<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        self.text_or_none(column)?.map(|text| unjson(column, &text)).transpose()
    }
}

impl Columns for AnyRow {
    fn text(&self, column: &str) -> Result<String> {
        Ok(self.try_get(column)?)
    }

    fn text_or_none(&self, column: &str) -> Result<Option<String>> {
        Ok(self.try_get(column)?)
    }

    fn integer(&self, column: &str) -> Result<i64> {
        Ok(self.try_get(column)?)
    }

    fn integer_or_none(&self, column: &str) -> Result<Option<i64>> {
        Ok(self.try_get(column)?)
    }
}

fn parse<T: FromStr<Err: Display>>(column: &str, text: &str) -> Result<T> {
    text.parse().map_err(|error: T::Err| damaged(column, &error))
}

fn fit<T: TryFrom<i64, Error: Display>>(column: &str, value: i64) -> Result<T> {
    T::try_from(value).map_err(|error| damaged(column, &error))
}

fn timestamp(column: &str, value: i64) -> Result<Timestamp> {
    Timestamp::from_millisecond(value).map_err(|error| damaged(column, &error))
}

/// Reads JSON. The error says where and what kind, never what: the value may be a secret.
pub(crate) fn unjson<T: DeserializeOwned>(column: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        let why = format!("{:?} error at line {} column {}", error.classify(), error.line(), error.column());
        damaged(column, &why)
    })
}

/// Writes JSON.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| damaged("a value to be written", &error))
}

fn damaged(column: &str, why: &dyn Display) -> Error {
    Error::Damaged { column: column.to_owned(), why: why.to_string() }
}

/// Returns the present time as it is stored.
pub(crate) fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// Returns a count as it is stored; counts beyond 2^63 do not occur.
pub(crate) fn big(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Derives the stored words of a plain enum: `as_str` and `FromStr`.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident: $what:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// Returns the word that is stored and shown.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> std::result::Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("no {} `{}`", $what, text.escape_debug())),
                }
            }
        }
    };
}
pub(crate) use words;
