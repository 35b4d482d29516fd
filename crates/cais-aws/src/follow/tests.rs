//! Traces of answers, played to their end on a paused clock: how each comes out, and how long it took.

use super::*;
use crate::deployment::{Breaker, Deployment, Rollback, Status, Tasks};
use crate::outcome::{Cause, Outcome, Verdict, verdict};
use crate::pace::Pace;
use crate::watch::{Sight, Trouble, TroubleKind};
use std::collections::VecDeque;

const OURS: &str = "arn:aws:ecs:eu-west-1:123456789012:service-deployment/app/clock/ours";
const NEWER: &str = "arn:aws:ecs:eu-west-1:123456789012:service-deployment/app/clock/newer";

fn deployment(status: &str) -> Deployment {
    Deployment {
        arn: OURS.to_owned(),
        service: "arn:aws:ecs:eu-west-1:123456789012:service/app/clock".to_owned(),
        status: Status::parse(status),
        reason: None,
        revision: None,
        target: Tasks {
            requested: 2,
            running: 0,
            pending: 0,
        },
        replaced: Tasks::default(),
        breaker: None,
        alarms: Vec::new(),
        rollback: None,
        stage: None,
        created: None,
        started: None,
        finished: None,
    }
}

fn seen(status: &str) -> Answer {
    with(status, |_| {})
}

fn with(status: &str, change: impl FnOnce(&mut Deployment)) -> Answer {
    let mut deployment = deployment(status);
    change(&mut deployment);
    Answer::Seen(Sight {
        deployments: vec![deployment],
        ..Sight::default()
    })
}

fn rolled_back(status: &str, reason: &str) -> Answer {
    with(status, |d| {
        d.rollback = Some(Rollback {
            reason: Some(reason.to_owned()),
            revision: None,
        });
    })
}

fn trouble(kind: TroubleKind, message: &str) -> Answer {
    Answer::Trouble(Trouble {
        kind,
        message: message.to_owned(),
    })
}

/// What a trace came to.
struct Ending {
    outcome: Outcome,
    told: Vec<Happening>,
    took: Duration,
    calls: u32,
}

/// Plays the trace; its last answer repeats for ever.
async fn play(trace: Vec<Answer>, timeout: Duration) -> Ending {
    let subjects = vec![Subject {
        service: "clock".to_owned(),
        deployment: OURS.to_owned(),
    }];
    let mut watch = Watch::new(subjects, Pace::default(), timeout);
    let mut trace: VecDeque<Answer> = trace.into();
    let mut told = Vec::new();
    let mut calls = 0;
    let began = Instant::now();
    let ask = async |_: &[Subject]| {
        calls += 1;
        if trace.len() > 1 {
            trace.pop_front().unwrap()
        } else {
            trace[0].clone()
        }
    };
    follow(&mut watch, ask, |happening| told.push(happening.clone())).await;
    let outcome = watch.outcomes().remove(0).1;
    Ending {
        outcome,
        told,
        took: began.elapsed(),
        calls,
    }
}

const HALF_AN_HOUR: Duration = Duration::from_secs(30 * 60);

#[tokio::test(start_paused = true)]
async fn only_successful_is_success() {
    let cases = [
        ("SUCCESSFUL", Verdict::Completed),
        ("STOPPED", Verdict::Failed),
        ("ROLLBACK_SUCCESSFUL", Verdict::RolledBack),
        ("ROLLBACK_FAILED", Verdict::Failed),
        // Never final, so waiting ends first.
        ("PENDING", Verdict::TimedOut),
        ("IN_PROGRESS", Verdict::TimedOut),
        ("STOP_REQUESTED", Verdict::TimedOut),
        ("ROLLBACK_REQUESTED", Verdict::TimedOut),
        ("ROLLBACK_IN_PROGRESS", Verdict::TimedOut),
        ("A_STATE_OF_TOMORROW", Verdict::TimedOut),
    ];
    for (status, expected) in cases {
        let ending = play(vec![seen("PENDING"), seen(status)], HALF_AN_HOUR).await;
        assert_eq!(ending.outcome.verdict(), expected, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_is_told_step_by_step_and_once() {
    let running = |n| {
        move |d: &mut Deployment| {
            d.target.running = n;
        }
    };
    let trace = vec![
        seen("PENDING"),
        seen("IN_PROGRESS"),
        seen("IN_PROGRESS"),
        with("IN_PROGRESS", running(1)),
        with("SUCCESSFUL", running(2)),
    ];
    let ending = play(trace, HALF_AN_HOUR).await;
    assert_eq!(ending.outcome, Outcome::Completed);
    let words: Vec<String> = ending
        .told
        .iter()
        .map(|happening| match happening {
            Happening::Moved { to, .. } => to.to_string(),
            Happening::Counted { target, .. } => format!("{}/{}", target.running, target.requested),
            Happening::Ended { outcome, .. } => outcome.word().to_owned(),
            other => format!("{other:?}"),
        })
        .collect();
    let expected = [
        "PENDING",
        "0/2",
        "IN_PROGRESS",
        "1/2",
        "SUCCESSFUL",
        "2/2",
        "completed",
    ];
    assert_eq!(words, expected);
}

#[tokio::test(start_paused = true)]
async fn the_breaker_rolls_back_and_is_named() {
    let failing = |failures, triggered| {
        move |d: &mut Deployment| {
            d.breaker = Some(Breaker {
                triggered,
                failures,
                threshold: 3,
            });
        }
    };
    let trace = vec![
        seen("IN_PROGRESS"),
        with("IN_PROGRESS", failing(1, false)),
        with("IN_PROGRESS", failing(3, true)),
        rolled_back(
            "ROLLBACK_IN_PROGRESS",
            "ECS deployment circuit breaker was triggered.",
        ),
        with("ROLLBACK_SUCCESSFUL", |d| {
            failing(3, true)(d);
            d.reason = Some("ECS deployment circuit breaker was triggered.".to_owned());
        }),
    ];
    let ending = play(trace, HALF_AN_HOUR).await;
    assert_eq!(
        ending.outcome,
        Outcome::RolledBack {
            cause: Cause::Breaker,
            reason: "ECS deployment circuit breaker was triggered".to_owned()
        }
    );
    let counted: Vec<u32> = ending
        .told
        .iter()
        .filter_map(|happening| match happening {
            Happening::Failures { failures, .. } => Some(*failures),
            _ => None,
        })
        .collect();
    assert_eq!(
        counted,
        [1, 3],
        "and not again when the breaker was out of sight for one answer"
    );
}

#[tokio::test(start_paused = true)]
async fn an_alarm_rolls_back_and_is_named() {
    let trace = vec![
        seen("IN_PROGRESS"),
        with("ROLLBACK_SUCCESSFUL", |d| {
            d.alarms = vec!["clock-errors".to_owned()];
        }),
    ];
    let ending = play(trace, HALF_AN_HOUR).await;
    assert_eq!(ending.outcome.verdict(), Verdict::RolledBack);
    assert_eq!(
        ending.outcome.reason(),
        "ECS gives no reason (alarm clock-errors)"
    );
}

#[tokio::test(start_paused = true)]
async fn stopped_by_hand_and_superseded_are_told_apart_by_what_came_after() {
    let ending = play(vec![seen("IN_PROGRESS"), seen("STOPPED")], HALF_AN_HOUR).await;
    assert!(matches!(ending.outcome, Outcome::Stopped { .. }));

    let Answer::Seen(mut sight) = seen("STOPPED") else {
        unreachable!()
    };
    sight.newer.insert(OURS.to_owned(), NEWER.to_owned());
    let ending = play(vec![seen("IN_PROGRESS"), Answer::Seen(sight)], HALF_AN_HOUR).await;
    assert_eq!(
        ending.outcome,
        Outcome::Superseded {
            by: NEWER.to_owned()
        }
    );
    assert_eq!(ending.outcome.verdict(), Verdict::Superseded);
}

#[tokio::test(start_paused = true)]
async fn throttling_is_waited_out_with_growing_pauses() {
    let throttled = || trouble(TroubleKind::Throttled, "ThrottlingException");
    let mut trace = vec![seen("IN_PROGRESS")];
    trace.extend(std::iter::repeat_with(throttled).take(6));
    trace.push(seen("SUCCESSFUL"));
    let ending = play(trace, HALF_AN_HOUR).await;
    assert_eq!(ending.outcome, Outcome::Completed);
    // 2 + 2 + 4 + 8 + 16 + 30 + 30, and up to a fifth more.
    assert!(ending.took >= Duration::from_secs(92), "{:?}", ending.took);
    assert!(ending.took <= Duration::from_secs(111), "{:?}", ending.took);
    let troubles = |h: &&Happening| matches!(h, Happening::Trouble { .. });
    assert_eq!(ending.told.iter().filter(troubles).count(), 1, "said once");
    assert!(
        ending
            .told
            .iter()
            .any(|h| matches!(h, Happening::Recovered { .. }))
    );
}

#[tokio::test(start_paused = true)]
async fn a_network_that_is_lost_in_the_middle_loses_no_outcome() {
    let gone = || trouble(TroubleKind::Unreachable, "connection refused");
    let mut trace = vec![seen("IN_PROGRESS"), gone(), gone(), gone()];
    trace.push(rolled_back("ROLLBACK_SUCCESSFUL", "breaker"));
    let ending = play(trace, HALF_AN_HOUR).await;
    assert_eq!(ending.outcome.verdict(), Verdict::RolledBack);

    let ending = play(vec![seen("IN_PROGRESS"), gone()], HALF_AN_HOUR).await;
    assert_eq!(
        ending.outcome.verdict(),
        Verdict::TimedOut,
        "it never came back"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_returns_does_not_hold_the_watch() {
    let subjects = vec![Subject {
        service: "clock".to_owned(),
        deployment: OURS.to_owned(),
    }];
    let mut watch = Watch::new(subjects, Pace::default(), Duration::from_secs(90));
    let ask = async |_: &[Subject]| std::future::pending::<Answer>().await;
    let began = Instant::now();
    follow(&mut watch, ask, |_| {}).await;
    assert_eq!(watch.outcomes()[0].1.verdict(), Verdict::TimedOut);
    assert!(began.elapsed() < Duration::from_secs(125));
}

#[tokio::test(start_paused = true)]
async fn half_an_hour_of_silence_is_told_each_minute_and_ends_as_timed_out() {
    let ending = play(vec![seen("PENDING"), seen("IN_PROGRESS")], HALF_AN_HOUR).await;
    assert_eq!(
        ending.outcome,
        Outcome::TimedOut {
            status: "IN_PROGRESS".to_owned()
        }
    );
    assert!(ending.took >= HALF_AN_HOUR);
    assert!(
        ending.took <= HALF_AN_HOUR + Duration::from_secs(1),
        "{:?}",
        ending.took
    );
    let still = ending
        .told
        .iter()
        .filter(|h| matches!(h, Happening::Still { .. }))
        .count();
    assert!((25..=30).contains(&still), "{still}");
    let a_minute = f64::from(ending.calls) / 30.0;
    assert!(a_minute <= 15.0, "{a_minute} calls a minute");
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_end_the_watch_and_never_as_success() {
    let expired = trouble(TroubleKind::Refused, "ExpiredTokenException");
    let ending = play(vec![seen("IN_PROGRESS"), expired], HALF_AN_HOUR).await;
    assert_eq!(ending.outcome.verdict(), Verdict::Failed);
    assert!(ending.outcome.reason().contains("ExpiredTokenException"));
}

#[tokio::test(start_paused = true)]
async fn another_deployment_of_the_service_is_not_ours() {
    let other = with("SUCCESSFUL", |d| d.arn = NEWER.to_owned());
    let ending = play(vec![seen("IN_PROGRESS"), other], HALF_AN_HOUR).await;
    assert!(matches!(ending.outcome, Outcome::Unknown { .. }));
    assert_eq!(ending.outcome.verdict(), Verdict::Failed);
}

#[test]
fn the_heaviest_of_several_endings_is_the_verdict() {
    let stopped = || Outcome::Stopped {
        reason: String::new(),
    };
    let back = || Outcome::RolledBack {
        cause: Cause::Breaker,
        reason: String::new(),
    };
    let late = || Outcome::TimedOut {
        status: String::new(),
    };
    assert_eq!(verdict(&[]), Verdict::Completed);
    assert_eq!(
        verdict(&[Outcome::Completed, back(), late()]),
        Verdict::RolledBack
    );
    assert_eq!(verdict(&[back(), stopped()]), Verdict::Failed);
    assert_eq!(verdict(&[Outcome::Completed, late()]), Verdict::TimedOut);
}
