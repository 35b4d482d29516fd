//! Secrets Manager: values go in; only their names, versions and times come out.

use super::ecs::instant;
use super::error::{Error, Kind};
use super::session::Session;
use jiff::Timestamp;

/// What is known of a secret without its value.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SecretEntry {
    /// Its name in Secrets Manager.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// When its value changed last.
    pub changed: Option<Timestamp>,
    /// When somebody read it last, to the day.
    pub accessed: Option<Timestamp>,
    /// When it is deleted for good, where that is under way.
    pub deletion: Option<Timestamp>,
}

/// What setting a secret came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSet {
    /// There was none of this name.
    Created,
    /// It has a new value.
    Changed,
}

impl Session {
    /// Gives a secret a value, making it where there is none, and taking back its deletion where that was under way.
    ///
    /// # Errors
    /// AWS's no.
    pub async fn set_secret(
        &self,
        name: &str,
        value: &str,
        tags: &[(&str, &str)],
    ) -> Result<SecretSet, Error> {
        let client = self.secrets();
        let put = || {
            client
                .put_secret_value()
                .secret_id(name)
                .secret_string(value)
        };
        let Err(error) = put().send().await else {
            return Ok(SecretSet::Changed);
        };
        let error = Error::of("secretsmanager:PutSecretValue", &error);
        let deleted = error.code.as_deref() == Some("InvalidRequestException")
            && error.message.contains("marked for deletion");
        if deleted {
            client
                .restore_secret()
                .secret_id(name)
                .send()
                .await
                .map_err(|error| Error::of("secretsmanager:RestoreSecret", &error))?;
            put()
                .send()
                .await
                .map_err(|error| Error::of("secretsmanager:PutSecretValue", &error))?;
            return Ok(SecretSet::Changed);
        }
        if error.kind != Kind::NotFound {
            return Err(error);
        }
        let tags = tags.iter().map(|(key, value)| {
            aws_sdk_secretsmanager::types::Tag::builder()
                .key(*key)
                .value(*value)
                .build()
        });
        client
            .create_secret()
            .name(name)
            .secret_string(value)
            .set_tags(Some(tags.collect()))
            .send()
            .await
            .map(|_| SecretSet::Created)
            .map_err(|error| Error::of("secretsmanager:CreateSecret", &error))
    }

    /// The secrets whose names begin so, sorted.
    ///
    /// # Errors
    /// AWS's no.
    pub async fn list_secrets(&self, prefix: &str) -> Result<Vec<SecretEntry>, Error> {
        use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType};
        let client = self.secrets();
        let filter = Filter::builder()
            .key(FilterNameStringType::Name)
            .values(prefix)
            .build();
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let answer = client
                .list_secrets()
                .filters(filter.clone())
                .include_planned_deletion(true)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| Error::of("secretsmanager:ListSecrets", &error))?;
            found.extend(
                answer
                    .secret_list()
                    .iter()
                    .filter(|one| one.name().is_some_and(|name| name.starts_with(prefix)))
                    .map(|one| SecretEntry {
                        name: one.name().unwrap_or_default().to_owned(),
                        arn: one.arn().unwrap_or_default().to_owned(),
                        changed: instant(one.last_changed_date().or(one.created_date())),
                        accessed: instant(one.last_accessed_date()),
                        deletion: instant(one.deleted_date()),
                    }),
            );
            token = answer.next_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// Is there a secret of this name that has a value and is not being deleted? Its value is not read.
    ///
    /// # Errors
    /// AWS's no.
    pub async fn secret_is_set(&self, name: &str) -> Result<bool, Error> {
        let answer = self
            .secrets()
            .describe_secret()
            .secret_id(name)
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(answer.deleted_date().is_none()
                && answer.version_ids_to_stages().is_some_and(|versions| {
                    versions
                        .values()
                        .any(|stages| stages.iter().any(|stage| stage == "AWSCURRENT"))
                })),
            Err(error) => {
                let error = Error::of("secretsmanager:DescribeSecret", &error);
                if error.kind == Kind::NotFound {
                    Ok(false)
                } else {
                    Err(error)
                }
            }
        }
    }

    /// Deletes a secret: for good after `days` (7 to 30), or at once where that is `None`.
    ///
    /// # Errors
    /// AWS's no; there is none of this name.
    pub async fn remove_secret(&self, name: &str, days: Option<u8>) -> Result<(), Error> {
        self.secrets()
            .delete_secret()
            .secret_id(name)
            .set_recovery_window_in_days(days.map(i64::from))
            .set_force_delete_without_recovery(days.is_none().then_some(true))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| Error::of("secretsmanager:DeleteSecret", &error))
    }
}
