//! The token with which a machine joins: a secret for the server, and what the machine knows the platform by.

use std::fmt;
use std::str::FromStr;

/// What lets one machine become a host once.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// 64 hexadecimal digits that only the server can check.
    pub secret: String,
    /// SHA-256 of the platform's certificate authority.
    pub authority: [u8; 32],
}

/// A text that is no join token.
#[derive(Debug, thiserror::Error)]
#[error("this is no join token: one begins with paasj_ and is made by `paasctl hosts:add`")]
pub struct BadToken;

const START: &str = "paasj_";

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{START}{}_{}", self.secret, hex::encode(self.authority))
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinToken")
    }
}

impl FromStr for JoinToken {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        let read = || {
            let (secret, digest) = text.trim().strip_prefix(START)?.split_once('_')?;
            let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            let mut authority = [0; 32];
            hex::decode_to_slice(digest, &mut authority).ok()?;
            let whole = secret.len() == 64 && secret.bytes().all(is_digit);
            whole.then(|| Self { secret: secret.to_owned(), authority })
        };
        read().ok_or(BadToken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_and_half_a_one_is_not() {
        let token = JoinToken { secret: "ab".repeat(32), authority: [7; 32] };
        let text = token.to_string();
        assert_eq!(format!(" {text}\n").parse::<JoinToken>().unwrap(), token);
        for bad in ["", "paasj_", &text[1..], &text[..text.len() - 1], &text.replace("ab", "xy")] {
            assert!(bad.parse::<JoinToken>().is_err(), "{bad}");
        }
        assert_eq!(format!("{token:?}"), "JoinToken");
    }
}
