//! Answers that take long: streamed in chunks, or of a length that is known beforehand. Both end with their digest.

use super::Attempt;
use crate::outcome::{Fault, Reason};
use crate::payload::Seal;
use crate::wire::Wire;
use std::time::Duration;

pub(super) async fn streamed(attempt: &mut Attempt) -> Result<(), Fault> {
    let over = attempt.client.shape.stream;
    sealed(
        attempt,
        over,
        &format!("/stream?seconds={}", over.as_secs_f64()),
    )
    .await
}

pub(super) async fn download(attempt: &mut Attempt) -> Result<(), Fault> {
    let shape = attempt.client.shape;
    let path = format!(
        "/download?seconds={}&bytes={}",
        shape.download.as_secs_f64(),
        shape.download_bytes
    );
    sealed(attempt, shape.download, &path).await
}

async fn sealed(attempt: &mut Attempt, planned: Duration, path: &str) -> Result<(), Fault> {
    let deadline = attempt.deadline(planned);
    let mut wire = Wire::open(attempt.client.address, deadline).await?;
    let request = attempt.ask("GET", path) + "connection: close\r\n\r\n";
    wire.send(request.as_bytes()).await?;
    let head = attempt.answered(&mut wire).await?;
    let mut seal = Seal::default();
    wire.body(&head, |bytes| seal.take(bytes)).await?;
    if !seal.holds() {
        return Err(wire.fault(Reason::WrongBody));
    }
    Ok(())
}
