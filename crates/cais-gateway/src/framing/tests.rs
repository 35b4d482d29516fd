//! The framing against tables, and against itself cut anywhere.

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
