//! Decides where each HTTP/1 request begins and ends in a stream of bytes, and refuses what two readers
//! could frame differently (RFC 9112, sections 2.2, 3, 5.1, 6.1, 6.3 and 7.1); it stores no message and leaves meaning to hyper.

/// Bytes of one head (request line and fields) that are accepted; the same bound holds for trailers.
pub const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Bytes of a request target that are accepted.
pub const MAX_TARGET_BYTES: usize = 8 * 1024;
/// Field lines of one head that are accepted.
pub const MAX_FIELDS: u16 = 100;
const MAX_METHOD_BYTES: u32 = 32;
const MAX_CHUNK_EXTENSION_BYTES: u32 = 256;
const LONGEST_NAME: usize = "transfer-encoding".len();

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A line ends with a bare LF, or a CR is not followed by LF (RFC 9112 section 2.2).
    LineEnding,
    /// The method is not a token.
    Method,
    /// The request target has a character that no URI has, or is empty.
    Target,
    /// The request target is longer than [`MAX_TARGET_BYTES`].
    TargetTooLong,
    /// What stands in the version's place is no HTTP version.
    Version,
    /// An HTTP version other than 1.0 and 1.1.
    VersionUnsupported,
    /// A field name is empty or not a token.
    FieldName,
    /// White space before the colon (RFC 9112 section 5.1).
    SpaceBeforeColon,
    /// A field line that begins with white space (RFC 9112 section 5.2).
    ObsFold,
    /// A control character in a field value.
    FieldValue,
    /// More than [`MAX_FIELDS`] field lines.
    TooManyFields,
    /// More than [`MAX_HEAD_BYTES`].
    HeadTooLong,
    /// HTTP/1.1 without Host (RFC 9112 section 3.2).
    HostMissing,
    /// More than one Host.
    HostRepeated,
    /// Host has a character that no host has.
    HostInvalid,
    /// Content-Length is not one decimal number.
    ContentLength,
    /// More than one Content-Length.
    ContentLengthRepeated,
    /// Both Content-Length and Transfer-Encoding (RFC 9112 section 6.1).
    LengthAndCoding,
    /// Transfer-Encoding in HTTP/1.0, or more than one.
    TransferEncoding,
    /// A transfer coding other than `chunked`.
    CodingUnsupported,
    /// A chunk size that is no hexadecimal number, or too large.
    ChunkSize,
    /// A chunk extension with a forbidden character, or too long.
    ChunkExtension,
    /// A chunk's data is not followed by CRLF.
    ChunkEnd,
}

impl Refusal {
    /// The status to answer with.
    pub fn status(self) -> u16 {
        match self {
            Self::TargetTooLong => 414,
            Self::TooManyFields | Self::HeadTooLong => 431,
            Self::CodingUnsupported => 501,
            Self::VersionUnsupported => 505,
            _ => 400,
        }
    }

    /// What is wrong, as a lowercase fragment.
    pub fn reason(self) -> &'static str {
        match self {
            Self::LineEnding => "a line does not end with CRLF",
            Self::Method => "the method is not a token",
            Self::Target => "the request target is not valid",
            Self::TargetTooLong => "the request target is longer than 8 KiB",
            Self::Version => "the HTTP version is not valid",
            Self::VersionUnsupported => "only HTTP/1.0, HTTP/1.1 and HTTP/2 are spoken here",
            Self::FieldName => "a field name is not a token",
            Self::SpaceBeforeColon => "white space stands before a field's colon",
            Self::ObsFold => "a field line begins with white space",
            Self::FieldValue => "a field value has a control character",
            Self::TooManyFields => "the head has more than 100 fields",
            Self::HeadTooLong => "the head is longer than 64 KiB",
            Self::HostMissing => "the Host field is missing",
            Self::HostRepeated => "the Host field is repeated",
            Self::HostInvalid => "the Host field is not valid",
            Self::ContentLength => "Content-Length is not one decimal number",
            Self::ContentLengthRepeated => "Content-Length is repeated",
            Self::LengthAndCoding => "Content-Length and Transfer-Encoding stand together",
            Self::TransferEncoding => "Transfer-Encoding is not valid here",
            Self::CodingUnsupported => "the only transfer coding spoken here is chunked",
            Self::ChunkSize => "a chunk size is not valid",
            Self::ChunkExtension => "a chunk extension is not valid",
            Self::ChunkEnd => "a chunk does not end with CRLF",
        }
    }
}

/// Why [`Framing::feed`] stopped before the last byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// A request asked to leave HTTP: what follows is not judged before [`Framing::resume`] or [`Framing::tunnel`].
    Hold,
    /// The next byte must not be read by anybody.
    Refused(Refusal),
}

/// What became of the bytes fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fed {
    /// How many of them, from the first, may pass.
    pub passed: usize,
    /// Why not all.
    pub stop: Option<Stop>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between messages; one empty line is allowed there (RFC 9112 section 2.2).
    Start,
    StartLf,
    Method(u32),
    Target(u32),
    Version(usize),
    RequestLf,
    FieldStart,
    Name,
    /// White space before the value.
    Lead,
    Value,
    ValueLf,
    EndLf,
    Length(u64),
    ChunkStart,
    Chunk(u64),
    /// White space that only an extension may follow.
    ChunkSpace(u64),
    ChunkExtension(u64, u32),
    ChunkLf(u64),
    ChunkData(u64),
    ChunkDataCr,
    ChunkDataLf,
    Hold,
    Tunnel,
    Refused(Refusal),
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

/// What the fields of the head being read have said so far.
#[derive(Debug, Clone, Copy, Default)]
struct Head {
    bytes: usize,
    fields: u16,
    minor: u8,
    hosts: u8,
    lengths: u8,
    length: u64,
    codings: u8,
    coding_is_chunked: bool,
    connection_upgrade: bool,
    upgrade: bool,
}

/// A request stream's framing; one per connection.
#[derive(Debug, Clone)]
pub struct Framing {
    state: State,
    heads: u64,
    blank_seen: bool,
    in_trailers: bool,
    body_hold: bool,
    refused_in_body: bool,
    head: Head,
    field: Field,
    name: [u8; LONGEST_NAME],
    name_len: usize,
    /// The token being read, in lower case: of Connection, or all of Transfer-Encoding.
    word: [u8; 8],
    word_len: usize,
    /// The number of Content-Length has ended; only white space may follow.
    number_ended: bool,
    number_begun: bool,
}

impl Default for Framing {
    fn default() -> Self {
        Self::new()
    }
}

impl Framing {
    /// A stream at its beginning.
    pub fn new() -> Self {
        Self {
            state: State::Start,
            heads: 0,
            blank_seen: false,
            in_trailers: false,
            body_hold: false,
            refused_in_body: false,
            head: Head::default(),
            field: Field::Other,
            name: [0; LONGEST_NAME],
            name_len: 0,
            word: [0; 8],
            word_len: 0,
            number_ended: false,
            number_begun: false,
        }
    }

    /// How many whole heads have passed.
    pub fn heads(&self) -> u64 {
        self.heads
    }

    /// Within a head: its first byte has passed, its last has not.
    pub fn in_head(&self) -> bool {
        !self.in_trailers
            && matches!(
                self.state,
                State::StartLf
                    | State::Method(_)
                    | State::Target(_)
                    | State::Version(_)
                    | State::RequestLf
                    | State::FieldStart
                    | State::Name
                    | State::Lead
                    | State::Value
                    | State::ValueLf
                    | State::EndLf
            )
    }

    /// Within a body or its trailers.
    pub fn in_body(&self) -> bool {
        self.in_trailers
            || matches!(
                self.state,
                State::Length(_)
                    | State::ChunkStart
                    | State::Chunk(_)
                    | State::ChunkSpace(_)
                    | State::ChunkExtension(..)
                    | State::ChunkLf(_)
                    | State::ChunkData(_)
                    | State::ChunkDataCr
                    | State::ChunkDataLf
            )
    }

    /// The refusal struck a body or trailers: the head had passed.
    pub fn refused_in_body(&self) -> bool {
        self.refused_in_body
    }

    /// A request asked to leave HTTP and nobody has decided yet.
    pub fn holding(&self) -> bool {
        self.state == State::Hold
    }

    /// After [`Stop::Hold`]: what follows is the next request.
    pub fn resume(&mut self) {
        if self.state == State::Hold {
            self.begin_message();
        }
    }

    /// What follows is no longer HTTP/1: everything passes.
    pub fn tunnel(&mut self) {
        self.state = State::Tunnel;
    }

    /// Judges the next bytes of the stream. Cutting the stream elsewhere never changes what passes in sum.
    pub fn feed(&mut self, bytes: &[u8]) -> Fed {
        let mut at = 0;
        while at < bytes.len() {
            match self.state {
                State::Length(left) => {
                    let taken = take(left, bytes.len() - at);
                    at += taken as usize;
                    if taken == left {
                        self.end_message();
                    } else {
                        self.state = State::Length(left - taken);
                    }
                }
                State::ChunkData(left) => {
                    let taken = take(left, bytes.len() - at);
                    at += taken as usize;
                    self.state = if taken == left {
                        State::ChunkDataCr
                    } else {
                        State::ChunkData(left - taken)
                    };
                }
                State::Tunnel => {
                    return Fed {
                        passed: bytes.len(),
                        stop: None,
                    };
                }
                State::Hold => {
                    return Fed {
                        passed: at,
                        stop: Some(Stop::Hold),
                    };
                }
                State::Refused(refusal) => {
                    return Fed {
                        passed: at,
                        stop: Some(Stop::Refused(refusal)),
                    };
                }
                _ => match self.step(bytes[at]) {
                    Ok(()) => at += 1,
                    Err(refusal) => {
                        self.refused_in_body = self.in_body();
                        self.state = State::Refused(refusal);
                        return Fed {
                            passed: at,
                            stop: Some(Stop::Refused(refusal)),
                        };
                    }
                },
            }
        }
        Fed {
            passed: at,
            stop: None,
        }
    }

    fn step(&mut self, byte: u8) -> Result<(), Refusal> {
        match self.state {
            State::Start
            | State::StartLf
            | State::Method(_)
            | State::Target(_)
            | State::Version(_)
            | State::RequestLf => {
                self.count()?;
                self.request_line(byte)
            }
            State::FieldStart
            | State::Name
            | State::Lead
            | State::Value
            | State::ValueLf
            | State::EndLf => {
                self.count()?;
                self.field_line(byte)
            }
            _ => self.chunk(byte),
        }
    }

    fn count(&mut self) -> Result<(), Refusal> {
        self.head.bytes += 1;
        if self.head.bytes > MAX_HEAD_BYTES {
            Err(Refusal::HeadTooLong)
        } else {
            Ok(())
        }
    }

    fn request_line(&mut self, byte: u8) -> Result<(), Refusal> {
        self.state = match (self.state, byte) {
            (State::Start, b'\r') if !self.blank_seen => State::StartLf,
            (State::Start, b'\r' | b'\n') => return Err(Refusal::LineEnding),
            (State::StartLf, b'\n') => {
                self.blank_seen = true;
                State::Start
            }
            (State::Start, _) if is_token(byte) => State::Method(1),
            (State::Method(_), b' ') => State::Target(0),
            (State::Method(len), _) if is_token(byte) && len < MAX_METHOD_BYTES => {
                State::Method(len + 1)
            }
            (State::Start | State::Method(_), _) => return Err(Refusal::Method),
            (State::Target(0), b' ') => return Err(Refusal::Target),
            (State::Target(_), b' ') => State::Version(0),
            (State::Target(len), 0x21..=0x7e) if byte != b'#' => {
                if len as usize >= MAX_TARGET_BYTES {
                    return Err(Refusal::TargetTooLong);
                }
                State::Target(len + 1)
            }
            (State::Target(_), _) => return Err(Refusal::Target),
            (State::Version(at), _) => self.version(at, byte)?,
            (State::RequestLf, b'\n') => State::FieldStart,
            _ => return Err(Refusal::LineEnding),
        };
        Ok(())
    }

    fn version(&mut self, at: usize, byte: u8) -> Result<State, Refusal> {
        const NAME: &[u8; 5] = b"HTTP/";
        match at {
            0..=4 if byte == NAME[at] => Ok(State::Version(at + 1)),
            5 if byte == b'1' => Ok(State::Version(6)),
            5 if byte.is_ascii_digit() => Err(Refusal::VersionUnsupported),
            6 if byte == b'.' => Ok(State::Version(7)),
            7 if matches!(byte, b'0' | b'1') => {
                self.head.minor = byte - b'0';
                Ok(State::Version(8))
            }
            7 if byte.is_ascii_digit() => Err(Refusal::VersionUnsupported),
            8 if byte == b'\r' => Ok(State::RequestLf),
            8 if byte == b'\n' => Err(Refusal::LineEnding),
            _ => Err(Refusal::Version),
        }
    }

    fn field_line(&mut self, byte: u8) -> Result<(), Refusal> {
        match (self.state, byte) {
            (State::FieldStart, b'\r') => self.state = State::EndLf,
            (State::FieldStart | State::Name, b'\n') => return Err(Refusal::LineEnding),
            (State::FieldStart, b' ' | b'\t') => return Err(Refusal::ObsFold),
            (State::FieldStart, _) if is_token(byte) => {
                self.head.fields += 1;
                if self.head.fields > MAX_FIELDS {
                    return Err(Refusal::TooManyFields);
                }
                self.name_len = 0;
                self.push_name(byte);
                self.state = State::Name;
            }
            (State::Name, b':') => {
                self.begin_value()?;
                self.state = State::Lead;
            }
            (State::Name, b' ' | b'\t') => return Err(Refusal::SpaceBeforeColon),
            (State::Name, _) if is_token(byte) => self.push_name(byte),
            (State::FieldStart | State::Name, _) => return Err(Refusal::FieldName),
            (State::Lead, b' ' | b'\t') => {}
            (State::Lead | State::Value, b'\r') => {
                self.end_value()?;
                self.state = State::ValueLf;
            }
            (State::Lead | State::Value, b'\n') => return Err(Refusal::LineEnding),
            (State::Lead | State::Value, b'\t' | 0x20..=0x7e | 0x80..) => {
                self.state = State::Value;
                self.value(byte)?;
            }
            (State::Lead | State::Value, _) => return Err(Refusal::FieldValue),
            (State::ValueLf, b'\n') => self.state = State::FieldStart,
            (State::EndLf, b'\n') if self.in_trailers => self.end_message(),
            (State::EndLf, b'\n') => self.end_head()?,
            _ => return Err(Refusal::LineEnding),
        }
        Ok(())
    }

    fn push_name(&mut self, byte: u8) {
        if let Some(slot) = self.name.get_mut(self.name_len) {
            *slot = byte.to_ascii_lowercase();
        }
        self.name_len += 1;
    }

    fn begin_value(&mut self) -> Result<(), Refusal> {
        self.word_len = 0;
        self.number_ended = false;
        self.number_begun = false;
        self.field = match self.name.get(..self.name_len) {
            _ if self.in_trailers => Field::Other,
            Some(b"host") => Field::Host,
            Some(b"content-length") => Field::ContentLength,
            Some(b"transfer-encoding") => Field::TransferEncoding,
            Some(b"connection") => Field::Connection,
            Some(b"upgrade") => Field::Upgrade,
            _ => Field::Other,
        };
        match self.field {
            Field::Host if self.head.hosts > 0 => return Err(Refusal::HostRepeated),
            Field::Host => self.head.hosts = 1,
            Field::ContentLength if self.head.lengths > 0 => {
                return Err(Refusal::ContentLengthRepeated);
            }
            Field::ContentLength => self.head.lengths = 1,
            Field::TransferEncoding if self.head.codings > 0 => {
                return Err(Refusal::TransferEncoding);
            }
            Field::TransferEncoding => self.head.codings = 1,
            Field::Connection | Field::Upgrade | Field::Other => {}
        }
        Ok(())
    }

    fn value(&mut self, byte: u8) -> Result<(), Refusal> {
        let space = matches!(byte, b' ' | b'\t');
        match self.field {
            Field::Other => {}
            Field::Upgrade => self.head.upgrade = true,
            Field::Host if space => self.number_ended = true,
            Field::Host if self.number_ended || !is_host(byte) => return Err(Refusal::HostInvalid),
            Field::Host => {}
            Field::ContentLength if space => self.number_ended = true,
            Field::ContentLength => {
                if self.number_ended || !byte.is_ascii_digit() {
                    return Err(Refusal::ContentLength);
                }
                self.number_begun = true;
                let more = self
                    .head
                    .length
                    .checked_mul(10)
                    .and_then(|n| n.checked_add(u64::from(byte - b'0')));
                self.head.length = more.ok_or(Refusal::ContentLength)?;
            }
            Field::TransferEncoding if space => self.number_ended = true,
            Field::TransferEncoding => {
                if self.number_ended {
                    self.word_len = self.word.len() + 1;
                }
                self.push_word(byte);
            }
            Field::Connection if byte == b',' => self.end_connection_option(),
            Field::Connection if space => {}
            Field::Connection => self.push_word(byte),
        }
        Ok(())
    }

    fn push_word(&mut self, byte: u8) {
        if let Some(slot) = self.word.get_mut(self.word_len) {
            *slot = byte.to_ascii_lowercase();
        }
        self.word_len = (self.word_len + 1).min(self.word.len() + 1);
    }

    fn end_connection_option(&mut self) {
        self.head.connection_upgrade |= self.word.get(..self.word_len) == Some(b"upgrade");
        self.word_len = 0;
    }

    fn end_value(&mut self) -> Result<(), Refusal> {
        match self.field {
            Field::ContentLength if !self.number_begun => return Err(Refusal::ContentLength),
            Field::TransferEncoding => {
                if self.word_len == 0 {
                    return Err(Refusal::TransferEncoding);
                }
                self.head.coding_is_chunked = self.word.get(..self.word_len) == Some(b"chunked");
            }
            Field::Connection => self.end_connection_option(),
            _ => {}
        }
        Ok(())
    }

    fn end_head(&mut self) -> Result<(), Refusal> {
        let head = self.head;
        if head.hosts == 0 && head.minor == 1 {
            return Err(Refusal::HostMissing);
        }
        if head.codings > 0 {
            if head.lengths > 0 {
                return Err(Refusal::LengthAndCoding);
            }
            if head.minor == 0 {
                return Err(Refusal::TransferEncoding);
            }
            if !head.coding_is_chunked {
                return Err(Refusal::CodingUnsupported);
            }
        }
        self.heads += 1;
        self.body_hold = head.minor == 1 && head.upgrade && head.connection_upgrade;
        if head.codings > 0 {
            self.state = State::ChunkStart;
        } else if head.lengths > 0 && head.length > 0 {
            self.state = State::Length(head.length);
        } else {
            self.end_message();
        }
        Ok(())
    }

    fn end_message(&mut self) {
        if self.body_hold {
            self.in_trailers = false;
            self.state = State::Hold;
        } else {
            self.begin_message();
        }
    }

    fn begin_message(&mut self) {
        self.state = State::Start;
        self.blank_seen = false;
        self.in_trailers = false;
        self.body_hold = false;
        self.head = Head::default();
    }

    fn chunk(&mut self, byte: u8) -> Result<(), Refusal> {
        self.state = match (self.state, byte) {
            (State::ChunkStart, _) => State::Chunk(hex(byte).ok_or(Refusal::ChunkSize)?),
            (
                State::Chunk(size) | State::ChunkSpace(size) | State::ChunkExtension(size, _),
                b'\r',
            ) => {
                if matches!(self.state, State::ChunkSpace(_)) {
                    return Err(Refusal::ChunkSize);
                }
                State::ChunkLf(size)
            }
            (State::Chunk(_) | State::ChunkSpace(_) | State::ChunkExtension(..), b'\n') => {
                return Err(Refusal::LineEnding);
            }
            (State::Chunk(size) | State::ChunkSpace(size), b';') => State::ChunkExtension(size, 0),
            (State::Chunk(size) | State::ChunkSpace(size), b' ' | b'\t') => State::ChunkSpace(size),
            (State::Chunk(size), _) => {
                let digit = hex(byte).ok_or(Refusal::ChunkSize)?;
                // The same bound as `checked_mul`, without the sign of the last bit: no reader may overflow on it.
                if size >> 59 != 0 {
                    return Err(Refusal::ChunkSize);
                }
                State::Chunk(size * 16 + digit)
            }
            (State::ChunkSpace(_), _) => return Err(Refusal::ChunkSize),
            (State::ChunkExtension(size, len), b'\t' | 0x20..=0x7e | 0x80..)
                if len < MAX_CHUNK_EXTENSION_BYTES =>
            {
                State::ChunkExtension(size, len + 1)
            }
            (State::ChunkExtension(..), _) => return Err(Refusal::ChunkExtension),
            (State::ChunkLf(0), b'\n') => {
                self.in_trailers = true;
                self.head = Head {
                    minor: self.head.minor,
                    ..Head::default()
                };
                State::FieldStart
            }
            (State::ChunkLf(size), b'\n') => State::ChunkData(size),
            (State::ChunkDataCr, b'\r') => State::ChunkDataLf,
            (State::ChunkDataLf, b'\n') => State::ChunkStart,
            (State::ChunkDataCr | State::ChunkDataLf, _) => return Err(Refusal::ChunkEnd),
            _ => return Err(Refusal::LineEnding),
        };
        Ok(())
    }
}

fn take(left: u64, available: usize) -> u64 {
    left.min(available as u64)
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 3986 section 3.2.2, and the port.
fn is_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+;=".contains(&byte)
}

fn hex(byte: u8) -> Option<u64> {
    (byte as char).to_digit(16).map(u64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds in pieces cut at these places; what passed in sum, heads, and how it stopped.
    fn fed(bytes: &[u8], cuts: &[usize]) -> (usize, u64, Option<Stop>) {
        let mut framing = Framing::new();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let (mut from, mut passed) = (0, 0);
        for cut in cuts {
            let piece = framing.feed(&bytes[from..cut]);
            passed += piece.passed;
            if piece.stop.is_some() {
                return (passed, framing.heads(), piece.stop);
            }
            from = cut;
        }
        (passed, framing.heads(), None)
    }

    fn check(text: &str, heads: u64, stop: Option<Stop>) {
        let (_, found_heads, found) = fed(text.as_bytes(), &[]);
        assert_eq!((found_heads, found), (heads, stop), "{text:?}");
    }

    #[test]
    fn messages_end_where_their_framing_says() {
        const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        check(&GET.repeat(3), 3, None);
        check(
            &format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n\n\n\n{GET}"),
            2,
            None,
        );
        check(
            &format!(
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n\n\n\n\r\n0\r\n\r\n{GET}"
            ),
            2,
            None,
        );
        check(
            &format!(
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: b\r\nHost: c\r\n\r\n{GET}"
            ),
            2,
            None,
        );
        check("GET / HTTP/1.0\r\n\r\n", 1, None);
        check("GET / HTTP/1.1\r\nHost: a\r\n", 0, None);
    }

    #[test]
    fn what_follows_a_wish_to_upgrade_waits_for_the_decision() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n";
        let bytes = [&head[..], b"\x81\x00"].concat();
        let mut framing = Framing::new();
        assert_eq!(
            framing.feed(&bytes),
            Fed {
                passed: head.len(),
                stop: Some(Stop::Hold)
            }
        );
        let mut http = framing.clone();
        http.resume();
        assert_eq!(
            http.feed(b"\x81").stop,
            Some(Stop::Refused(Refusal::Method))
        );
        framing.tunnel();
        assert_eq!(
            framing.feed(b"\x81\x00"),
            Fed {
                passed: 2,
                stop: None
            }
        );
    }

    #[test]
    fn a_refusal_is_final() {
        let mut framing = Framing::new();
        let refused = Some(Stop::Refused(Refusal::LineEnding));
        assert_eq!(
            framing.feed(b"GET / HTTP/1.1\nHost: a\r\n\r\n"),
            Fed {
                passed: 14,
                stop: refused
            }
        );
        assert_eq!(
            framing.feed(b"GET / HTTP/1.1\r\n"),
            Fed {
                passed: 0,
                stop: refused
            }
        );
    }

    /// Pieces of requests in any order: nearer to the truth than random bytes.
    fn requests() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop::sample::select(vec![
            "GET / HTTP/1.1\r\n",
            "POST /a?b HTTP/1.0\r\n",
            "Host: a\r\n",
            "Content-Length: 4\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Connection: upgrade\r\nUpgrade: x\r\n",
            "X: y\r\n",
            "\r\n",
            "\n",
            "\r",
            " ",
            "4\r\nabcd\r\n",
            "0\r\n\r\n",
            "0;x\r\n",
            "abcd",
        ]);
        prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn cutting_the_stream_anywhere_changes_nothing(bytes in requests(), cuts in prop::collection::vec(0usize..300, 0..8)) {
            prop_assert_eq!(fed(&bytes, &cuts), fed(&bytes, &[]));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), cuts in prop::collection::vec(0usize..300, 0..4)) {
            prop_assert_eq!(fed(&bytes, &cuts), fed(&bytes, &[]));
        }

        /// Whatever a second, independent parser takes for a head, with a length, is framed likewise here, or refused.
        #[test]
        fn no_head_passes_that_httparse_reads_otherwise(bytes in requests()) {
            let mut fields = [httparse::EMPTY_HEADER; 128];
            let mut request = httparse::Request::new(&mut fields);
            if let Ok(httparse::Status::Complete(end)) = request.parse(&bytes) {
                let mut framing = Framing::new();
                let passed = framing.feed(&bytes[..end]).passed;
                prop_assert!(passed < end || framing.heads() == 1);
            }
        }
    }
}
