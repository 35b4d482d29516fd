//! One line of a task's log in the CRI form, `<RFC 3339 UTC> stdout|stderr F|P <text>`: printing, splitting and parsing it.

use jiff::Timestamp;
use std::fmt;
use std::io::Write;

/// A line longer than this is stored in pieces (the CRI limit that containerd and CRI-O use).
pub(crate) const PIECE_BYTES: usize = 16 * 1024;

/// Which of its two streams a task wrote to.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    fn as_str(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Does a stored piece end its line?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    /// `F`: it does.
    Full,
    /// `P`: the line goes on in the stream's next piece.
    Partial,
}

/// One stored piece, borrowed from a file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// When it was read from the pipe.
    pub(crate) at: Timestamp,
    /// From which.
    pub(crate) stream: Stream,
    /// Does it end its line?
    pub(crate) tag: Tag,
    /// The bytes as the task wrote them, without the newline.
    pub(crate) text: &'a [u8],
}

impl Piece<'_> {
    /// Appends the stored form, newline included.
    pub(crate) fn print(&self, buffer: &mut Vec<u8>) {
        let tag = match self.tag {
            Tag::Full => 'F',
            Tag::Partial => 'P',
        };
        // Writing to a Vec cannot fail.
        let _ = write!(buffer, "{:.9} {} {tag} ", self.at, self.stream.as_str());
        buffer.extend_from_slice(self.text);
        buffer.push(b'\n');
    }

    /// Parses one stored line without its newline; `None` for what no shim wrote (a write cut off by a full disk).
    pub(crate) fn parse(line: &[u8]) -> Option<Piece<'_>> {
        let mut parts = line.splitn(4, |b| *b == b' ');
        let at = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
        let stream = match parts.next()? {
            b"stdout" => Stream::Stdout,
            b"stderr" => Stream::Stderr,
            _ => return None,
        };
        let tag = match parts.next()? {
            b"F" => Tag::Full,
            b"P" => Tag::Partial,
            _ => return None,
        };
        Some(Piece {
            at,
            stream,
            tag,
            text: parts.next()?,
        })
    }
}

/// Cuts a stream's bytes into pieces; keeps what has no newline yet, at most [`PIECE_BYTES`] of it.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    pending: Vec<u8>,
}

impl Splitter {
    /// Takes the next bytes and hands out every piece that is complete.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut piece: impl FnMut(Tag, &[u8])) {
        while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            self.extend(&bytes[..end], &mut piece);
            piece(Tag::Full, &self.pending);
            self.pending.clear();
            bytes = &bytes[end + 1..];
        }
        self.extend(bytes, &mut piece);
    }

    /// The stream has ended: hands out what had no newline.
    pub(crate) fn finish(&mut self, mut piece: impl FnMut(Tag, &[u8])) {
        if !self.pending.is_empty() {
            piece(Tag::Full, &self.pending);
            self.pending.clear();
        }
    }

    fn extend(&mut self, mut bytes: &[u8], piece: &mut impl FnMut(Tag, &[u8])) {
        while self.pending.len() + bytes.len() > PIECE_BYTES {
            let (head, rest) = bytes.split_at(PIECE_BYTES - self.pending.len());
            self.pending.extend_from_slice(head);
            piece(Tag::Partial, &self.pending);
            self.pending.clear();
            bytes = rest;
        }
        self.pending.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(chunks: &[&[u8]], expected: &[(Tag, &[u8])]) {
        let mut splitter = Splitter::default();
        let mut got: Vec<(Tag, Vec<u8>)> = Vec::new();
        for chunk in chunks {
            splitter.push(chunk, |tag, text| got.push((tag, text.to_vec())));
        }
        splitter.finish(|tag, text| got.push((tag, text.to_vec())));
        let got: Vec<(Tag, &[u8])> = got
            .iter()
            .map(|(tag, text)| (*tag, text.as_slice()))
            .collect();
        assert!(got == expected, "{chunks:?} gave {} pieces", got.len());
    }

    #[test]
    fn lines_are_cut_at_newlines_wherever_the_reads_fall() {
        use Tag::{Full, Partial};
        check(&[b"a\nb\n"], &[(Full, b"a"), (Full, b"b")]);
        check(&[b"a", b"b", b"\n"], &[(Full, b"ab")]);
        check(&[b"\n\n"], &[(Full, b""), (Full, b"")]);
        check(&[b"no newline"], &[(Full, b"no newline")]);
        check(&[b"\xff\x00\r\n"], &[(Full, b"\xff\x00\r")]);
        check(&[], &[]);
        let long = vec![b'x'; PIECE_BYTES];
        let longer = [long.as_slice(), b"yz\n"].concat();
        check(&[&longer], &[(Partial, &long), (Full, b"yz")]);
        check(
            &[&longer[..100], &longer[100..]],
            &[(Partial, &long), (Full, b"yz")],
        );
        check(&[&long, b"\n"], &[(Full, &long)]);
    }

    #[test]
    fn a_printed_piece_parses_back() {
        let at: Timestamp = "2026-07-01T12:00:00.000000010Z".parse().unwrap();
        for text in [&b"hello world"[..], b"", b" leading", b"\xff\xfe \x01"] {
            let piece = Piece {
                at,
                stream: Stream::Stderr,
                tag: Tag::Partial,
                text,
            };
            let mut buffer = Vec::new();
            piece.print(&mut buffer);
            assert!(buffer.starts_with(b"2026-07-01T12:00:00.000000010Z stderr P "));
            assert_eq!(
                Piece::parse(buffer.strip_suffix(b"\n").unwrap()),
                Some(piece)
            );
        }
    }

    #[test]
    fn what_no_shim_wrote_is_not_a_piece() {
        for bad in [
            &b""[..],
            b"hello",
            b"2026-07-01T12:00:00Z stdout F",
            b"2026-07-01T12:00:00Z stdin F x",
            b"2026-07-01T12:00:00Z stdout X x",
            b"yesterday stdout F x",
        ] {
            assert_eq!(Piece::parse(bad), None, "{bad:?}");
        }
    }
}
