//! A POST whose body is sent in pieces; the answer must name its length and digest.

use super::Attempt;
use crate::outcome::{Fault, Reason};
use crate::payload;
use crate::wire::{Paused, Wire};
use tokio::time::Instant;

/// Pieces of a body.
const PIECES: usize = 10;

pub(super) async fn slowly(attempt: &mut Attempt) -> Result<(), Fault> {
    let shape = attempt.client.shape;
    let deadline = attempt.deadline(shape.post);
    let mut wire = Wire::open(attempt.client.address, deadline).await?;
    let body = payload::piece(attempt.number as usize, shape.post_bytes);
    // Every other one says its length beforehand; the rest is chunked (RFC 9112 section 7.1).
    let chunked = attempt.number.is_multiple_of(2);
    let framing = if chunked {
        "transfer-encoding: chunked\r\n\r\n".to_owned()
    } else {
        format!("content-length: {}\r\n\r\n", body.len())
    };
    let head = attempt.ask("POST", "/post") + "connection: close\r\n" + &framing;
    wire.send(head.as_bytes()).await?;
    if upload(&mut wire, &body, shape.post, chunked).await? == Paused::Interrupted {
        // An answer, or the end, before the body was sent: read what it is.
        attempt.answered(&mut wire).await?;
        return Err(wire.fault(Reason::WrongBody));
    }
    let head = attempt.answered(&mut wire).await?;
    let mut answer = Vec::new();
    wire.body(&head, |bytes| answer.extend_from_slice(bytes))
        .await?;
    let want = format!("{} {}\n", body.len(), payload::digest(&body));
    if answer != want.as_bytes() {
        return Err(wire.fault(Reason::WrongBody));
    }
    Ok(())
}

async fn upload(
    wire: &mut Wire,
    body: &[u8],
    over: std::time::Duration,
    chunked: bool,
) -> Result<Paused, Fault> {
    let began = Instant::now();
    let size = body.len().div_ceil(PIECES).max(1);
    let last = body.len().div_ceil(size).saturating_sub(1).max(1);
    for (index, piece) in body.chunks(size).enumerate() {
        let moment = began + over.mul_f64(index as f64 / last as f64);
        if wire.pause_until(moment).await == Paused::Interrupted {
            return Ok(Paused::Interrupted);
        }
        if chunked {
            let mut framed = format!("{:x}\r\n", piece.len()).into_bytes();
            framed.extend_from_slice(piece);
            framed.extend_from_slice(b"\r\n");
            wire.send(&framed).await?;
        } else {
            wire.send(piece).await?;
        }
    }
    if chunked {
        wire.send(b"0\r\n\r\n").await?;
    }
    Ok(Paused::Whole)
}
