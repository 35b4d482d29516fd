//! IAM: is a role there, and may the caller do what a deploy does?

use super::error::{Error, Kind};
use super::session::Session;
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum};

/// What IAM says about one action.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Permission {
    /// As `ecs:UpdateService`.
    pub action: String,
    /// May the caller do it?
    pub allowed: bool,
}

impl Session {
    /// The ARN of a role; `None` where there is none of that name.
    ///
    /// # Errors
    /// AWS's no.
    pub async fn role(&self, name: &str) -> Result<Option<String>, Error> {
        let answer = self.iam().get_role().role_name(name).send().await;
        match answer {
            Ok(answer) => Ok(answer.role().map(|role| role.arn().to_owned())),
            Err(error) => {
                let error = Error::of("iam:GetRole", &error);
                if error.kind == Kind::NotFound {
                    Ok(None)
                } else {
                    Err(error)
                }
            }
        }
    }

    /// What the caller may do of these actions with this resource (`*` where the action has none), by IAM's own simulation
    /// of its policies. Policies of the organisation and of resources are not part of it.
    ///
    /// # Errors
    /// AWS's no; as a rule, the caller may not ask.
    pub async fn permissions(
        &self,
        caller: &str,
        actions: &[&str],
        resource: &str,
    ) -> Result<Vec<Permission>, Error> {
        // A role is passed to ECS's tasks: a policy that says so would not match without it.
        let passed_to = ContextEntry::builder()
            .context_key_name("iam:PassedToService")
            .context_key_type(ContextKeyTypeEnum::String)
            .context_key_values("ecs-tasks.amazonaws.com")
            .build();
        let answer = self
            .iam()
            .simulate_principal_policy()
            .policy_source_arn(principal(caller))
            .set_action_names(Some(actions.iter().map(|&a| a.to_owned()).collect()))
            .resource_arns(resource)
            .context_entries(passed_to)
            .send()
            .await
            .map_err(|error| Error::of("iam:SimulatePrincipalPolicy", &error))?;
        Ok(answer
            .evaluation_results()
            .iter()
            .map(|one| Permission {
                action: one.eval_action_name().to_owned(),
                allowed: one.eval_decision().as_str() == "allowed",
            })
            .collect())
    }
}

/// The role behind an assumed role's session: that is what has policies.
fn principal(caller: &str) -> String {
    let Some((account, rest)) = caller
        .strip_prefix("arn:aws:sts::")
        .and_then(|rest| rest.split_once(":assumed-role/"))
    else {
        return caller.to_owned();
    };
    let role = rest.split('/').next().unwrap_or(rest);
    format!("arn:aws:iam::{account}:role/{role}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assumed_role_is_asked_about_as_the_role() {
        let cases = [
            (
                "arn:aws:sts::123456789012:assumed-role/deploy/run-7",
                "arn:aws:iam::123456789012:role/deploy",
            ),
            (
                "arn:aws:iam::123456789012:user/ana",
                "arn:aws:iam::123456789012:user/ana",
            ),
        ];
        for (caller, expected) in cases {
            assert_eq!(principal(caller), expected);
        }
    }
}
