//! Who calls and where: the standard credential chain, the region, endpoints of one's own, retries, and a count of the
//! calls that really went out.

use super::error::Error;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::{Builder, tls};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Attempts for one call: throttling and broken connections are tried again with growing, jittered pauses.
const ATTEMPTS: u32 = 5;
/// For one attempt. AWS's control planes answer within a second or two.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(10);
/// For all attempts of one call.
const CALL_WITHIN: Duration = Duration::from_secs(28);

/// How to connect.
#[derive(Debug, Clone, Default)]
pub struct Connect {
    /// The region, where the file or the command line names one; otherwise the chain decides.
    pub region: Option<String>,
    /// The profile of `~/.aws/config`; otherwise AWS_PROFILE or `default`.
    pub profile: Option<String>,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Identity {
    /// The account's number.
    pub account: String,
    /// The caller's ARN.
    pub arn: String,
}

/// A connection to AWS: a configuration, a region, a client for each service.
#[derive(Debug, Clone)]
pub struct Session {
    config: SdkConfig,
    region: String,
    calls: Calls,
}

impl Session {
    /// Reads the environment and the profile. Makes no call yet.
    ///
    /// # Errors
    /// No region is named anywhere.
    pub async fn open(connect: &Connect) -> Result<Self, Error> {
        let http = Builder::new()
            .tls_provider(tls::Provider::Rustls(
                tls::rustls_provider::CryptoMode::Ring,
            ))
            .build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(4))
                    .operation_attempt_timeout(ATTEMPT_WITHIN)
                    .operation_timeout(CALL_WITHIN)
                    .build(),
            );
        if let Some(region) = &connect.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &connect.profile {
            loader = loader.profile_name(profile);
        }
        let config = loader.load().await;
        let region = config.region().map(ToString::to_string).ok_or_else(|| {
            Error::invalid(
                "aws",
                "no region: name it in the file (`x-cais.aws.region`), in AWS_REGION or in the profile",
            )
        })?;
        Ok(Self {
            config,
            region,
            calls: Calls::default(),
        })
    }

    /// The region's name.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Calls that went out, attempts counted, by operation.
    pub fn calls(&self) -> BTreeMap<String, u32> {
        self.calls.lock().by_operation.clone()
    }

    /// When the first call went out.
    pub fn first_call(&self) -> Option<Instant> {
        self.calls.lock().first
    }

    pub(super) fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Counts a call that does not go through one of the SDK's clients.
    pub(super) fn count(&self, operation: &str) {
        self.calls.count(operation.to_owned());
    }

    /// Who calls.
    ///
    /// # Errors
    /// There are no credentials, or AWS does not accept them.
    pub async fn identity(&self) -> Result<Identity, Error> {
        let config = aws_sdk_sts::config::Builder::from(&self.config)
            .interceptor(self.calls.clone())
            .build();
        let answer = aws_sdk_sts::Client::from_conf(config)
            .get_caller_identity()
            .send()
            .await
            .map_err(|error| Error::of("sts:GetCallerIdentity", &error))?;
        Ok(Identity {
            account: answer.account.unwrap_or_default(),
            arn: answer.arn.unwrap_or_default(),
        })
    }

    pub(super) fn ecs(&self) -> aws_sdk_ecs::Client {
        let config = aws_sdk_ecs::config::Builder::from(&self.config);
        aws_sdk_ecs::Client::from_conf(config.interceptor(self.calls.clone()).build())
    }

    pub(super) fn ecr(&self) -> aws_sdk_ecr::Client {
        let config = aws_sdk_ecr::config::Builder::from(&self.config);
        aws_sdk_ecr::Client::from_conf(config.interceptor(self.calls.clone()).build())
    }

    pub(super) fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        let config = aws_sdk_cloudwatchlogs::config::Builder::from(&self.config);
        aws_sdk_cloudwatchlogs::Client::from_conf(config.interceptor(self.calls.clone()).build())
    }

    pub(super) fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        let config = aws_sdk_secretsmanager::config::Builder::from(&self.config);
        aws_sdk_secretsmanager::Client::from_conf(config.interceptor(self.calls.clone()).build())
    }

    pub(super) fn load_balancing(&self) -> aws_sdk_elasticloadbalancingv2::Client {
        let config = aws_sdk_elasticloadbalancingv2::config::Builder::from(&self.config);
        aws_sdk_elasticloadbalancingv2::Client::from_conf(
            config.interceptor(self.calls.clone()).build(),
        )
    }

    pub(super) fn scaling(&self) -> aws_sdk_applicationautoscaling::Client {
        let config = aws_sdk_applicationautoscaling::config::Builder::from(&self.config);
        aws_sdk_applicationautoscaling::Client::from_conf(
            config.interceptor(self.calls.clone()).build(),
        )
    }

    pub(super) fn iam(&self) -> aws_sdk_iam::Client {
        let config = aws_sdk_iam::config::Builder::from(&self.config);
        aws_sdk_iam::Client::from_conf(config.interceptor(self.calls.clone()).build())
    }

    pub(super) fn storage(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config)
            // The bucket in the path, not in the host's name: the same for AWS and for an endpoint of one's own.
            .force_path_style(true)
            .interceptor(self.calls.clone());
        aws_sdk_s3::Client::from_conf(config.build())
    }
}

/// Counts requests as they are sent.
#[derive(Debug, Clone, Default)]
struct Calls(Arc<Mutex<Counted>>);

#[derive(Debug, Default)]
struct Counted {
    first: Option<Instant>,
    by_operation: BTreeMap<String, u32>,
}

impl Calls {
    fn count(&self, name: String) {
        let mut counted = self.lock();
        counted.first.get_or_insert_with(Instant::now);
        *counted.by_operation.entry(name).or_default() += 1;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[dyn_dispatch_hint]
impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "Calls"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        use aws_smithy_runtime_api::client::orchestrator::Metadata;
        let name = bag.load::<Metadata>().map_or_else(
            || "unknown".to_owned(),
            |m| format!("{}:{}", m.service(), m.name()),
        );
        self.count(name);
        Ok(())
    }
}
