//! The reasons to refuse a request, with the status and the words that answer it.

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A line ends with a bare LF, or a CR is not followed by LF (RFC 9112 section 2.2).
    LineEnding,
    /// The method is not a token.
    Method,
    /// The request target has a character that no URI has, or is empty.
    Target,
    /// The request target is longer than [`MAX_TARGET_BYTES`](super::MAX_TARGET_BYTES).
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
    /// More than [`MAX_FIELDS`](super::MAX_FIELDS) field lines.
    TooManyFields,
    /// More than [`MAX_HEAD_BYTES`](super::MAX_HEAD_BYTES).
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
