//! ECS Exec: opens a session in a running task. Who talks in it is AWS's session plugin.

use super::error::Error;
use super::session::Session;

/// An open session, in the form that AWS's session plugin reads. Holds a token: not to be printed, nor put into an
/// argument list.
#[derive(Clone, PartialEq, Eq)]
pub struct ExecSession {
    /// `{"SessionId", "StreamUrl", "TokenValue"}`.
    pub response: String,
    /// The target as the plugin wants it: `{"Target": "ecs:<cluster>_<task>_<runtime>"}`.
    pub target: String,
}

impl std::fmt::Debug for ExecSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ExecSession({}, …)", self.target)
    }
}

impl Session {
    /// Starts a command in a task's container.
    ///
    /// # Errors
    /// AWS's no; the task's service does not allow it.
    pub async fn exec(
        &self,
        cluster: &str,
        task: &str,
        container: &str,
        command: &str,
    ) -> Result<ExecSession, Error> {
        const OPERATION: &str = "ecs:ExecuteCommand";
        let answer = self
            .ecs()
            .execute_command()
            .cluster(cluster)
            .task(task)
            .container(container)
            .command(command)
            .interactive(true)
            .send()
            .await
            .map_err(|error| Error::of(OPERATION, &error))?;
        let session = answer
            .session()
            .ok_or_else(|| Error::invalid(OPERATION, "the answer holds no session"))?;
        let runtime = self.container_runtime(cluster, task, container).await?;
        let response = serde_json::json!({
            "SessionId": session.session_id(),
            "StreamUrl": session.stream_url(),
            "TokenValue": session.token_value(),
        });
        let target = serde_json::json!({ "Target": format!("ecs:{cluster}_{task}_{runtime}") });
        Ok(ExecSession {
            response: response.to_string(),
            target: target.to_string(),
        })
    }

    async fn container_runtime(
        &self,
        cluster: &str,
        task: &str,
        container: &str,
    ) -> Result<String, Error> {
        const OPERATION: &str = "ecs:DescribeTasks";
        let answer = self
            .ecs()
            .describe_tasks()
            .cluster(cluster)
            .tasks(task)
            .send()
            .await
            .map_err(|error| Error::of(OPERATION, &error))?;
        answer
            .tasks()
            .iter()
            .flat_map(|task| task.containers())
            .find(|one| one.name() == Some(container))
            .and_then(|one| one.runtime_id().map(str::to_owned))
            .ok_or_else(|| {
                Error::not_found(OPERATION, format!("`{task}` has no running `{container}`"))
            })
    }
}
