//! ECR: the token that a push needs, and what a repository holds.

use super::error::{Error, Kind};
use super::session::Session;

/// A registry's address and the credentials for it, for twelve hours.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryAccess {
    /// Its host, as `123456789012.dkr.ecr.eu-west-1.amazonaws.com`.
    pub host: String,
    /// The user name; `AWS`.
    pub user: String,
    /// The password. Not to be printed.
    pub password: String,
}

impl std::fmt::Debug for RegistryAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RegistryAccess({}@{}, …)", self.user, self.host)
    }
}

impl Session {
    /// The account's registry and a token for it.
    ///
    /// # Errors
    /// AWS's no.
    pub async fn registry(&self) -> Result<RegistryAccess, Error> {
        const OPERATION: &str = "ecr:GetAuthorizationToken";
        let answer = self
            .ecr()
            .get_authorization_token()
            .send()
            .await
            .map_err(|error| Error::of(OPERATION, &error))?;
        let broken = || Error::invalid(OPERATION, "the answer holds no usable token");
        let data = answer.authorization_data().first().ok_or_else(broken)?;
        let bytes =
            aws_smithy_types::base64::decode(data.authorization_token().unwrap_or_default())
                .map_err(|_| broken())?;
        let text = String::from_utf8(bytes).map_err(|_| broken())?;
        let (user, password) = text.split_once(':').ok_or_else(broken)?;
        let endpoint = data.proxy_endpoint().unwrap_or_default();
        let host = endpoint
            .trim_start_matches("https://")
            .trim_start_matches("http://")
            .trim_end_matches('/');
        Ok(RegistryAccess {
            host: host.to_owned(),
            user: user.to_owned(),
            password: password.to_owned(),
        })
    }

    /// The URI of a repository; `None` where there is none of that name.
    ///
    /// # Errors
    /// AWS's no.
    pub async fn repository(&self, name: &str) -> Result<Option<String>, Error> {
        let answer = self
            .ecr()
            .describe_repositories()
            .repository_names(name)
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(answer
                .repositories()
                .first()
                .and_then(|repository| repository.repository_uri().map(str::to_owned))),
            Err(error) => absent(Error::of("ecr:DescribeRepositories", &error)),
        }
    }

    /// The digest of an image by its tag or digest; `None` where the repository has none such.
    ///
    /// # Errors
    /// AWS's no.
    pub async fn image_digest(
        &self,
        repository: &str,
        reference: &str,
    ) -> Result<Option<String>, Error> {
        let id = aws_sdk_ecr::types::ImageIdentifier::builder();
        let id = if reference.starts_with("sha256:") {
            id.image_digest(reference)
        } else {
            id.image_tag(reference)
        };
        let answer = self
            .ecr()
            .describe_images()
            .repository_name(repository)
            .image_ids(id.build())
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(answer
                .image_details()
                .first()
                .and_then(|image| image.image_digest().map(str::to_owned))),
            Err(error) => absent(Error::of("ecr:DescribeImages", &error)),
        }
    }
}

fn absent<T>(error: Error) -> Result<Option<T>, Error> {
    if error.kind == Kind::NotFound {
        Ok(None)
    } else {
        Err(error)
    }
}
