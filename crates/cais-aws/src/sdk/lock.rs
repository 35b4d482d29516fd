//! The deploy lock: an object in the state bucket that only one writer can make, because the write is conditional.

use super::error::{Error, Kind};
use super::session::Session;
use aws_sdk_s3::primitives::ByteStream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Who holds a lock, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Random; a release is for this lock and not for the one that came after it.
    pub id: String,
    /// The caller's ARN.
    pub owner: String,
    /// The machine, and the pipeline's run where it is one.
    pub place: String,
    /// What for.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// What came of asking for a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Locking {
    /// It is ours.
    Held,
    /// Somebody else has it.
    HeldBy(Holder),
}

impl Session {
    /// Takes the lock at `key`, unless somebody has it.
    ///
    /// # Errors
    /// AWS's no; the bucket is not there.
    pub async fn lock(&self, bucket: &str, key: &str, holder: &Holder) -> Result<Locking, Error> {
        const OPERATION: &str = "s3:PutObject";
        let body = serde_json::to_vec_pretty(holder)
            .map_err(|error| Error::invalid(OPERATION, error.to_string()))?;
        let answer = self
            .storage()
            .put_object()
            .bucket(bucket)
            .key(key)
            .if_none_match("*")
            .content_type("application/json")
            .body(ByteStream::from(body))
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Locking::Held);
        };
        let error = Error::of(OPERATION, &error);
        if error.kind != Kind::Conflict {
            return Err(error);
        }
        match self.lock_holder(bucket, key).await? {
            // A retry of a write whose answer was lost finds the lock that it made.
            Some(other) if other.id == holder.id => Ok(Locking::Held),
            Some(other) => Ok(Locking::HeldBy(other)),
            None => Err(error),
        }
    }

    /// Who has the lock.
    ///
    /// # Errors
    /// AWS's no; the object is no lock.
    pub async fn lock_holder(&self, bucket: &str, key: &str) -> Result<Option<Holder>, Error> {
        const OPERATION: &str = "s3:GetObject";
        let answer = self
            .storage()
            .get_object()
            .bucket(bucket)
            .key(key)
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let error = Error::of(OPERATION, &error);
                let no_lock = error.code.as_deref() == Some("NoSuchKey");
                return if no_lock { Ok(None) } else { Err(error) };
            }
        };
        let broken =
            |text: String| Error::invalid(OPERATION, format!("`{key}` is no lock: {text}"));
        let bytes = answer
            .body
            .collect()
            .await
            .map_err(|error| broken(error.to_string()))?
            .into_bytes();
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| broken(error.to_string()))
    }

    /// Lets go of the lock that `id` names; one of another id stays. `false`: it was not there.
    ///
    /// # Errors
    /// AWS's no.
    pub async fn unlock(&self, bucket: &str, key: &str, id: &str) -> Result<bool, Error> {
        match self.lock_holder(bucket, key).await? {
            Some(holder) if holder.id == id => {}
            Some(_) | None => return Ok(false),
        }
        self.storage()
            .delete_object()
            .bucket(bucket)
            .key(key)
            .send()
            .await
            .map(|_| true)
            .map_err(|error| Error::of("s3:DeleteObject", &error))
    }
}
