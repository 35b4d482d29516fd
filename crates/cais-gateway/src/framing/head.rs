//! What the fields of one head say about the message's framing, read byte by byte; where a field line begins
//! and ends is told by the caller.

use super::{MAX_FIELDS, MAX_HEAD_BYTES, Refusal};

const LONGEST_NAME: usize = "transfer-encoding".len();

/// How long a message's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyLength {
    Known(u64),
    Chunked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Field {
    #[default]
    Other,
    Host,
    ContentLength,
    TransferEncoding,
    Connection,
    Upgrade,
}

/// The head being read; or the trailers, whose fields frame nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    bytes: usize,
    fields: u16,
    /// Of HTTP/1.x.
    pub(super) minor: u8,
    pub(super) trailers: bool,
    host: bool,
    length: Option<u64>,
    coding: Option<Coding>,
    connection_upgrade: bool,
    upgrade: bool,
    field: Field,
    name: [u8; LONGEST_NAME],
    name_len: usize,
    /// The token being read, in lower case: an option of Connection, or all of Transfer-Encoding.
    word: [u8; 8],
    word_len: usize,
    value_begun: bool,
    /// White space came after the value's first byte: for a single value only white space may follow.
    value_ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Chunked,
    Other,
}

impl Head {
    /// The trailers of a message with this head.
    pub(super) fn of_trailers() -> Self {
        Self {
            trailers: true,
            ..Self::default()
        }
    }

    /// Counts a byte of the head.
    pub(super) fn count(&mut self) -> Result<(), Refusal> {
        self.bytes += 1;
        if self.bytes > MAX_HEAD_BYTES {
            Err(Refusal::HeadTooLong)
        } else {
            Ok(())
        }
    }

    /// A field line begins with this byte.
    pub(super) fn begin_field(&mut self, byte: u8) -> Result<(), Refusal> {
        self.fields += 1;
        if self.fields > MAX_FIELDS {
            return Err(Refusal::TooManyFields);
        }
        self.name_len = 0;
        self.name(byte);
        Ok(())
    }

    /// The next byte of the field's name.
    pub(super) fn name(&mut self, byte: u8) {
        if let Some(slot) = self.name.get_mut(self.name_len) {
            *slot = byte.to_ascii_lowercase();
        }
        self.name_len += 1;
    }

    /// The colon: the name is whole.
    pub(super) fn begin_value(&mut self) -> Result<(), Refusal> {
        self.word_len = 0;
        self.value_begun = false;
        self.value_ended = false;
        self.field = match self.name.get(..self.name_len) {
            _ if self.trailers => Field::Other,
            Some(b"host") => Field::Host,
            Some(b"content-length") => Field::ContentLength,
            Some(b"transfer-encoding") => Field::TransferEncoding,
            Some(b"connection") => Field::Connection,
            Some(b"upgrade") => Field::Upgrade,
            _ => Field::Other,
        };
        match self.field {
            Field::Host if self.host => Err(Refusal::HostRepeated),
            Field::ContentLength if self.length.is_some() => Err(Refusal::ContentLengthRepeated),
            Field::TransferEncoding if self.coding.is_some() => Err(Refusal::TransferEncoding),
            _ => Ok(()),
        }
    }

    /// The next byte of the field's value, after the white space that leads it.
    pub(super) fn value(&mut self, byte: u8) -> Result<(), Refusal> {
        if matches!(byte, b' ' | b'\t') {
            self.value_ended = true;
            return Ok(());
        }
        let second = self.value_ended;
        self.value_begun = true;
        match self.field {
            Field::Other => {}
            Field::Upgrade => self.upgrade = true,
            Field::Host if second || !is_host(byte) => return Err(Refusal::HostInvalid),
            Field::Host => {}
            Field::ContentLength if second || !byte.is_ascii_digit() => {
                return Err(Refusal::ContentLength);
            }
            Field::ContentLength => {
                let shifted = self.length.unwrap_or(0).checked_mul(10);
                let length = shifted.and_then(|length| length.checked_add(u64::from(byte - b'0')));
                self.length = Some(length.ok_or(Refusal::ContentLength)?);
            }
            Field::TransferEncoding if second => self.word_len = self.word.len() + 1,
            Field::Connection if byte == b',' => self.end_connection_option(),
            Field::TransferEncoding | Field::Connection => self.word(byte),
        }
        Ok(())
    }

    /// The field line's CR.
    pub(super) fn end_value(&mut self) -> Result<(), Refusal> {
        match self.field {
            Field::Host => self.host = true,
            Field::ContentLength if !self.value_begun => return Err(Refusal::ContentLength),
            Field::TransferEncoding if !self.value_begun => return Err(Refusal::TransferEncoding),
            Field::TransferEncoding => {
                let chunked = self.word.get(..self.word_len) == Some(b"chunked");
                self.coding = Some(if chunked {
                    Coding::Chunked
                } else {
                    Coding::Other
                });
            }
            Field::Connection => self.end_connection_option(),
            Field::ContentLength | Field::Upgrade | Field::Other => {}
        }
        Ok(())
    }

    /// The head is whole: how its body ends (RFC 9112 section 6.3).
    pub(super) fn body(&self) -> Result<BodyLength, Refusal> {
        if !self.host && self.minor == 1 {
            return Err(Refusal::HostMissing);
        }
        match (self.coding, self.length) {
            (None, length) => Ok(BodyLength::Known(length.unwrap_or(0))),
            (Some(_), Some(_)) => Err(Refusal::LengthAndCoding),
            (Some(_), None) if self.minor == 0 => Err(Refusal::TransferEncoding),
            (Some(Coding::Other), None) => Err(Refusal::CodingUnsupported),
            (Some(Coding::Chunked), None) => Ok(BodyLength::Chunked),
        }
    }

    /// The request asks to leave HTTP (RFC 9110 section 7.8).
    pub(super) fn wants_upgrade(&self) -> bool {
        self.minor == 1 && self.upgrade && self.connection_upgrade
    }

    fn word(&mut self, byte: u8) {
        if let Some(slot) = self.word.get_mut(self.word_len) {
            *slot = byte.to_ascii_lowercase();
        }
        self.word_len = (self.word_len + 1).min(self.word.len() + 1);
    }

    fn end_connection_option(&mut self) {
        self.connection_upgrade |= self.word.get(..self.word_len) == Some(b"upgrade");
        self.word_len = 0;
    }
}

/// RFC 3986 section 3.2.2, and the port.
fn is_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+;=".contains(&byte)
}
