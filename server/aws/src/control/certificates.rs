//! AWS's certificates for a region, as text that goes into a script: nothing but certificates is let through.

use std::fmt;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The longest line of a certificate's text (RFC 7468 has 64), with room for tools that differ.
const LINE: usize = 80;

/// Certificates as PEM, without what stood around them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates(String);

/// There is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no certificate as PEM in it")]
pub struct NoCertificate;

impl Certificates {
    /// Reads them from a file's text. Whether AWS made them is not looked at here; the control plane does.
    ///
    /// # Errors
    /// There is none.
    pub fn read(text: &str) -> Result<Self, NoCertificate> {
        let mut kept = String::new();
        for block in text.split(BEGIN).skip(1) {
            let (body, _) = block.split_once(END).ok_or(NoCertificate)?;
            let lines: Vec<&str> = body.split_whitespace().collect();
            let is_base64 = |line: &&str| {
                line.len() <= LINE && line.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))
            };
            if lines.is_empty() || !lines.iter().all(is_base64) {
                return Err(NoCertificate);
            }
            kept.push_str(&format!("{BEGIN}\n{}\n{END}\n", lines.join("\n")));
        }
        if kept.is_empty() { Err(NoCertificate) } else { Ok(Self(kept)) }
    }
}

impl fmt::Display for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_certificates_are_let_through() {
        let one = "-----BEGIN CERTIFICATE-----\nMIIB+/=\nAAAA\n-----END CERTIFICATE-----\n";
        let around = format!("# us-east-1\r\n{}$(id)\n{one}", one.replace('\n', "\r\n"));
        assert_eq!(Certificates::read(&around).unwrap().to_string(), format!("{one}{one}"));
        for wrong in [
            "",
            "MIIB",
            "-----BEGIN CERTIFICATE-----\nMIIB",
            "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\nEND-OF-FILE\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\n$(id)\n-----END CERTIFICATE-----\n",
        ] {
            assert_eq!(Certificates::read(wrong), Err(NoCertificate), "{wrong}");
        }
    }
}
