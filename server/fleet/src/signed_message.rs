//! Reads a PKCS #7 message (CMS, RFC 5652) that one signer has signed. It reads BER, in which such messages may come: AWS
//! leaves lengths open that DER would state. Whose signature it is, and of what, is checked by `identity_document`.

use x509_parser::asn1_rs::{Any, Class, FromBer as _, Length, Oid, Tag, oid};

const DATA: Oid<'_> = oid!(1.2.840.113549.1.7.1);
const SIGNED_DATA: Oid<'_> = oid!(1.2.840.113549.1.7.2);
const SHA256: Oid<'_> = oid!(2.16.840.1.101.3.4.2.1);
const RSA: Oid<'_> = oid!(1.2.840.113549.1.1.1);
const SHA256_WITH_RSA: Oid<'_> = oid!(1.2.840.113549.1.1.11);
const CONTENT_TYPE: Oid<'_> = oid!(1.2.840.113549.1.9.3);
const MESSAGE_DIGEST: Oid<'_> = oid!(1.2.840.113549.1.9.4);

/// How deep pieces of one text may lie in each other.
const PIECES_DEEP: usize = 3;

/// What is wrong with a message, in a few words.
type Wrong = &'static str;

/// A message and its one signature, by RSA over SHA-256.
#[derive(Debug)]
pub(crate) struct SignedMessage<'a> {
    /// What it says, unless that came apart from it.
    pub(crate) content: Option<Vec<u8>>,
    /// What the signature is of, unless it is of the content itself.
    pub(crate) attributes: Option<Attributes>,
    /// The signature.
    pub(crate) signature: &'a [u8],
}

/// What was signed in the content's stead.
#[derive(Debug)]
pub(crate) struct Attributes {
    /// As they were signed.
    pub(crate) der: Vec<u8>,
    /// The SHA-256 of the content.
    pub(crate) digest: Vec<u8>,
}

impl<'a> SignedMessage<'a> {
    /// Reads a message.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Wrong> {
        let mut whole = Elements(bytes);
        let mut message = whole.next()?.sequence()?;
        whole.end()?;
        message.next()?.is(&SIGNED_DATA)?;
        let mut signed = message.next()?.tagged(0)?.next()?.sequence()?;
        let (_version, _digests) = (signed.next()?, signed.next()?);
        let mut encapsulated = signed.next()?.sequence()?;
        encapsulated.next()?.is(&DATA)?;
        let content = match encapsulated.next_tagged(0)? {
            Some(mut content) => Some(content.next()?.octets(PIECES_DEEP)?),
            None => None,
        };
        // Certificates and what was revoked: whom to believe is not the message's to say.
        let (_certificates, _revoked) = (signed.next_tagged(0)?, signed.next_tagged(1)?);
        let mut signers = signed.next()?.of(Class::Universal, Tag::Set)?;
        let mut signer = signers.next()?.sequence()?;
        signers.end().map_err(|_| "it has more than one signer")?;
        let (_version, _who) = (signer.next()?, signer.next()?);
        signer.next()?.sequence()?.next()?.is(&SHA256).map_err(|_| "it is not signed over SHA-256")?;
        let next = signer.next()?;
        let (attributes, algorithm) = match next.any.class() {
            Class::ContextSpecific => (Some(Attributes::read(&next)?), signer.next()?),
            _ => (None, next),
        };
        let algorithm = algorithm.sequence()?.next()?;
        algorithm.is(&RSA).or(algorithm.is(&SHA256_WITH_RSA)).map_err(|_| "it is not signed with RSA")?;
        let signature = signer.next()?;
        if signature.any.header.is_constructed() {
            return Err("its signature is in pieces");
        }
        signature.of(Class::Universal, Tag::OctetString)?;
        Ok(Self { content, attributes, signature: signature.any.data })
    }
}

impl Attributes {
    fn read(element: &Element<'_>) -> Result<Self, Wrong> {
        let mut rest = element.tagged(0)?;
        // RFC 5652, section 5.4: they are signed as the SET that they are, and in DER.
        let open = matches!(element.any.header.length(), Length::Indefinite);
        let (Some((_, behind)), false) = (element.raw.split_first(), open) else {
            return Err("its attributes are not in DER");
        };
        let der = [&[0x31], behind].concat();
        let (mut content_type, mut digest) = (None, None);
        while !rest.0.is_empty() {
            let mut attribute = rest.next()?.sequence()?;
            let (name, mut values) = (attribute.next()?, attribute.next()?.of(Class::Universal, Tag::Set)?);
            let twice = match () {
                () if name.is(&CONTENT_TYPE).is_ok() => content_type.replace(values.next()?).is_some(),
                () if name.is(&MESSAGE_DIGEST).is_ok() => digest.replace(values.next()?).is_some(),
                () => continue,
            };
            if twice || values.end().is_err() {
                return Err("an attribute of it has two values");
            }
        }
        content_type.ok_or("it does not say what it is of")?.is(&DATA)?;
        let digest = digest.ok_or("it has no digest")?.octets(0)?;
        Ok(Self { der, digest })
    }
}

/// Elements one after the other.
struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    fn next(&mut self) -> Result<Element<'a>, Wrong> {
        let before = self.0;
        let (after, any) = Any::from_ber(before).map_err(|_| "it ends early, or is no PKCS #7 at all")?;
        let raw = before.get(..before.len().saturating_sub(after.len())).unwrap_or_default();
        self.0 = after;
        Ok(Element { raw, any })
    }

    /// Returns what is in the next element if that has this tag.
    fn next_tagged(&mut self, tag: u32) -> Result<Option<Elements<'a>>, Wrong> {
        let before = self.0;
        if before.is_empty() {
            return Ok(None);
        }
        let inner = self.next()?.tagged(tag);
        if inner.is_err() {
            self.0 = before;
        }
        Ok(inner.ok())
    }

    fn end(&self) -> Result<(), Wrong> {
        if self.0.is_empty() { Ok(()) } else { Err("there is more behind it") }
    }
}

/// One element.
struct Element<'a> {
    /// All of it.
    raw: &'a [u8],
    /// What it is.
    any: Any<'a>,
}

impl<'a> Element<'a> {
    /// Returns what is in it if it is of this kind.
    fn of(&self, class: Class, tag: Tag) -> Result<Elements<'a>, Wrong> {
        let is_it = self.any.class() == class && self.any.tag() == tag;
        is_it.then_some(Elements(self.any.data)).ok_or("it is not built as PKCS #7 is")
    }

    fn sequence(&self) -> Result<Elements<'a>, Wrong> {
        self.of(Class::Universal, Tag::Sequence)
    }

    fn tagged(&self, tag: u32) -> Result<Elements<'a>, Wrong> {
        self.of(Class::ContextSpecific, Tag(tag))
    }

    /// Tells whether it names this.
    fn is(&self, name: &Oid<'_>) -> Result<(), Wrong> {
        self.of(Class::Universal, Tag::Oid)?;
        if self.any.data == name.as_bytes() { Ok(()) } else { Err("it is another kind of message") }
    }

    /// Returns a string of bytes, which BER may have in pieces.
    fn octets(&self, deep: usize) -> Result<Vec<u8>, Wrong> {
        let mut pieces = self.of(Class::Universal, Tag::OctetString)?;
        if !self.any.header.is_constructed() {
            return Ok(self.any.data.to_vec());
        }
        let deeper = deep.checked_sub(1).ok_or("it is cut into too many pieces")?;
        let mut whole = Vec::with_capacity(pieces.0.len());
        while !pieces.0.is_empty() {
            whole.extend(pieces.next()?.octets(deeper)?);
        }
        Ok(whole)
    }
}
