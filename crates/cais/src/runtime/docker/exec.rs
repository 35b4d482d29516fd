//! Runs a command in a container: health checks here, `cais exec` through the same requests.

use super::Engine;
use super::engine::said;
use bollard::Docker;
use bollard::exec::{CreateExecOptions, StartExecResults};
use futures_util::StreamExt;
use std::sync::{Arc, Mutex, PoisonError};

/// At most so much of a check's output is kept.
const OUTPUT_KEPT: usize = 4096;

/// A container to ask.
#[derive(Debug, Clone)]
pub(crate) struct Exec {
    client: Docker,
    container: String,
    /// The check that was begun last. One that outlived its timeout cannot be ended through the engine, so no other is begun
    /// beside it.
    last: Arc<Mutex<Option<String>>>,
}

/// What a command that ran to its end left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) code: i64,
    pub(crate) output: Vec<u8>,
}

impl Exec {
    /// In the container of this name.
    pub(crate) fn new(engine: &Engine, container: &str) -> Self {
        Self {
            client: engine.client.clone(),
            container: container.to_owned(),
            last: Arc::default(),
        }
    }

    /// Runs a check to its end.
    ///
    /// # Errors
    /// In words, when it could not be run.
    pub(crate) async fn check(&self, argv: &[String]) -> Result<Check, String> {
        let last = self.last().take();
        if let Some(last) = last {
            let runs = self.client.inspect_exec(&last).await;
            if runs.is_ok_and(|exec| exec.running == Some(true)) {
                *self.last() = Some(last);
                return Err("the check that was begun before still runs".to_owned());
            }
        }
        let options = CreateExecOptions {
            cmd: Some(argv.to_vec()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..CreateExecOptions::default()
        };
        let created = self
            .client
            .create_exec(&self.container, options)
            .await
            .map_err(|error| said(&error))?;
        *self.last() = Some(created.id.clone());
        let started = self
            .client
            .start_exec(&created.id, None)
            .await
            .map_err(|error| said(&error))?;
        let mut output = Vec::new();
        if let StartExecResults::Attached {
            output: mut frames, ..
        } = started
        {
            while let Some(Ok(frame)) = frames.next().await {
                let room = OUTPUT_KEPT.saturating_sub(output.len());
                let bytes = frame.as_ref();
                output.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
        }
        let ended = self
            .client
            .inspect_exec(&created.id)
            .await
            .map_err(|error| said(&error))?;
        *self.last() = None;
        Ok(Check {
            code: ended.exit_code.unwrap_or(-1),
            output,
        })
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
