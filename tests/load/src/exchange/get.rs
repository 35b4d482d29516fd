//! Short GETs, over a kept connection and over one of their own. The answer repeats the request's number: an
//! answer that belongs to somebody else is a wrong body.

use super::Attempt;
use crate::outcome::{Fault, Reason};
use crate::wire::Wire;
use std::time::Duration;

pub(super) async fn kept(attempt: &mut Attempt) -> Result<(), Fault> {
    let client = attempt.client.clone();
    let deadline = attempt.deadline(Duration::ZERO);
    let mut wire = client.connection(deadline).await?;
    if get(attempt, &mut wire, "\r\n").await? {
        client.keep(wire);
    }
    Ok(())
}

pub(super) async fn alone(attempt: &mut Attempt) -> Result<(), Fault> {
    let deadline = attempt.deadline(Duration::ZERO);
    let mut wire = Wire::open(attempt.client.address, deadline).await?;
    get(attempt, &mut wire, "connection: close\r\n\r\n").await?;
    Ok(())
}

/// Returns whether the connection may be used again.
async fn get(attempt: &mut Attempt, wire: &mut Wire, rest: &str) -> Result<bool, Fault> {
    let number = attempt.number;
    let request = attempt.ask("GET", &format!("/?n={number}")) + rest;
    wire.send(request.as_bytes()).await?;
    let head = attempt.answered(wire).await?;
    let mut body = Vec::new();
    wire.body(&head, |bytes| body.extend_from_slice(bytes))
        .await?;
    if body != format!("n={number}\n").as_bytes() {
        return Err(wire.fault(Reason::WrongBody));
    }
    Ok(head.keep)
}
