//! Decides where each HTTP/1 request begins and ends in a stream of bytes, and refuses what two readers
//! could frame differently (RFC 9112, sections 2.2, 3, 5.1, 6.1, 6.3 and 7.1); it stores no message and leaves meaning to hyper.

mod head;
mod refusal;

use head::{BodyLength, Head};
pub use refusal::Refusal;

/// Bytes of one head (request line and fields) that are accepted; the same bound holds for trailers.
pub const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Bytes of a request target that are accepted.
pub const MAX_TARGET_BYTES: usize = 8 * 1024;
/// Field lines of one head that are accepted.
pub const MAX_FIELDS: u16 = 100;
const MAX_METHOD_BYTES: u32 = 32;
const MAX_CHUNK_EXTENSION_BYTES: u32 = 256;
/// Sixteen fill 64 bits; more, even of zeros, are nobody's number.
const MAX_CHUNK_SIZE_DIGITS: u8 = 16;

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
    /// Its size so far, and of how many digits.
    Chunk(u64, u8),
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

/// A request stream's framing; one per connection.
#[derive(Debug, Clone)]
pub struct Framing {
    state: State,
    heads: u64,
    blank_seen: bool,
    /// The message being read asked to leave HTTP.
    hold_after: bool,
    refused_in_body: bool,
    head: Head,
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
            hold_after: false,
            refused_in_body: false,
            head: Head::default(),
        }
    }

    /// How many whole heads have passed.
    pub fn heads(&self) -> u64 {
        self.heads
    }

    /// Within a head: its first byte has passed, its last has not.
    pub fn in_head(&self) -> bool {
        !self.head.trailers
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
        self.head.trailers
            || matches!(
                self.state,
                State::Length(_)
                    | State::ChunkStart
                    | State::Chunk(..)
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

    /// The wish of the last head to leave HTTP is refused: what follows its body is the next request.
    pub fn resume(&mut self) {
        self.hold_after = false;
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
                self.head.count()?;
                self.request_line(byte)
            }
            State::FieldStart
            | State::Name
            | State::Lead
            | State::Value
            | State::ValueLf
            | State::EndLf => {
                self.head.count()?;
                self.field_line(byte)
            }
            _ => self.chunk(byte),
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
                self.head.begin_field(byte)?;
                self.state = State::Name;
            }
            (State::Name, b':') => {
                self.head.begin_value()?;
                self.state = State::Lead;
            }
            (State::Name, b' ' | b'\t') => return Err(Refusal::SpaceBeforeColon),
            (State::Name, _) if is_token(byte) => self.head.name(byte),
            (State::FieldStart | State::Name, _) => return Err(Refusal::FieldName),
            (State::Lead, b' ' | b'\t') => {}
            (State::Lead | State::Value, b'\r') => {
                self.head.end_value()?;
                self.state = State::ValueLf;
            }
            (State::Lead | State::Value, b'\n') => return Err(Refusal::LineEnding),
            (State::Lead | State::Value, b'\t' | 0x20..=0x7e | 0x80..) => {
                self.state = State::Value;
                self.head.value(byte)?;
            }
            (State::Lead | State::Value, _) => return Err(Refusal::FieldValue),
            (State::ValueLf, b'\n') => self.state = State::FieldStart,
            (State::EndLf, b'\n') if self.head.trailers => self.end_message(),
            (State::EndLf, b'\n') => self.end_head()?,
            _ => return Err(Refusal::LineEnding),
        }
        Ok(())
    }

    fn end_head(&mut self) -> Result<(), Refusal> {
        let body = self.head.body()?;
        self.heads += 1;
        self.hold_after = self.head.wants_upgrade();
        match body {
            BodyLength::Chunked => self.state = State::ChunkStart,
            BodyLength::Known(0) => self.end_message(),
            BodyLength::Known(length) => self.state = State::Length(length),
        }
        Ok(())
    }

    fn end_message(&mut self) {
        let hold = std::mem::take(&mut self.hold_after);
        self.begin_message();
        if hold {
            self.state = State::Hold;
        }
    }

    fn begin_message(&mut self) {
        self.state = State::Start;
        self.blank_seen = false;
        self.head = Head::default();
    }

    fn chunk(&mut self, byte: u8) -> Result<(), Refusal> {
        self.state = match (self.state, byte) {
            (State::ChunkStart, _) => State::Chunk(hex(byte).ok_or(Refusal::ChunkSize)?, 1),
            (State::Chunk(size, digits), _) => chunk_size(size, digits, byte)?,
            (State::ChunkSpace(size), b';') => State::ChunkExtension(size, 0),
            (State::ChunkSpace(size), b' ' | b'\t') => State::ChunkSpace(size),
            (State::ChunkSpace(_), _) => return Err(Refusal::ChunkSize),
            (State::ChunkExtension(size, _), b'\r') => State::ChunkLf(size),
            (State::ChunkExtension(..), b'\n') => return Err(Refusal::LineEnding),
            (State::ChunkExtension(size, len), b'\t' | 0x20..=0x7e | 0x80..)
                if len < MAX_CHUNK_EXTENSION_BYTES =>
            {
                State::ChunkExtension(size, len + 1)
            }
            (State::ChunkExtension(..), _) => return Err(Refusal::ChunkExtension),
            (State::ChunkLf(0), b'\n') => {
                self.head = Head::of_trailers();
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

/// After the first digit of a chunk's size.
fn chunk_size(size: u64, digits: u8, byte: u8) -> Result<State, Refusal> {
    match byte {
        b'\r' => Ok(State::ChunkLf(size)),
        b'\n' => Err(Refusal::LineEnding),
        b';' => Ok(State::ChunkExtension(size, 0)),
        b' ' | b'\t' => Ok(State::ChunkSpace(size)),
        _ if digits == MAX_CHUNK_SIZE_DIGITS => Err(Refusal::ChunkSize),
        _ => Ok(State::Chunk(
            size << 4 | hex(byte).ok_or(Refusal::ChunkSize)?,
            digits + 1,
        )),
    }
}

fn take(left: u64, available: usize) -> u64 {
    left.min(available as u64)
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn hex(byte: u8) -> Option<u64> {
    (byte as char).to_digit(16).map(u64::from)
}

#[cfg(test)]
mod tests;
