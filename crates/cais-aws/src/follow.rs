//! Asks, waits and asks again until every watched deployment has ended; what it means is `watch`'s.

use crate::watch::{Answer, Happening, Subject, Then, Watch};
use std::time::Duration;
use tokio::time::Instant;

/// Nobody waits longer than this for one answer: a connection that is half gone would hold the whole watch.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Follows to the end. `ask` is called with the deployments that have not ended; `tell` with what happened.
pub async fn follow(
    watch: &mut Watch,
    mut ask: impl AsyncFnMut(&[Subject]) -> Answer,
    mut tell: impl FnMut(&Happening),
) {
    let began = Instant::now();
    loop {
        let open = watch.open();
        let answer = match tokio::time::timeout(ANSWER_WITHIN, ask(&open)).await {
            Ok(answer) => answer,
            Err(_) => Answer::Trouble(crate::watch::Trouble {
                kind: crate::watch::TroubleKind::Unreachable,
                message: format!("no answer within {} s", ANSWER_WITHIN.as_secs()),
            }),
        };
        let step = watch.step(answer, began.elapsed(), fastrand::f64());
        step.happenings.iter().for_each(&mut tell);
        match step.then {
            Then::Done => return,
            Then::Ask(pause) => tokio::time::sleep(pause).await,
        }
    }
}

#[cfg(test)]
mod tests;
