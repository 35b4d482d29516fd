//! The bounds within which Application Auto Scaling moves a service's desired count.

use super::ecs::count;
use super::error::Error;
use super::session::Session;
use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace};

/// The bounds of a service's desired count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Bounds {
    /// At least.
    pub min: u32,
    /// At most.
    pub max: u32,
}

impl Session {
    /// The bounds of a service; `None` where nothing scales it.
    ///
    /// # Errors
    /// AWS's no.
    pub async fn scaling_bounds(
        &self,
        cluster: &str,
        service: &str,
    ) -> Result<Option<Bounds>, Error> {
        let answer = self
            .scaling()
            .describe_scalable_targets()
            .service_namespace(ServiceNamespace::Ecs)
            .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
            .resource_ids(format!("service/{cluster}/{service}"))
            .send()
            .await
            .map_err(|error| {
                Error::of("application-autoscaling:DescribeScalableTargets", &error)
            })?;
        Ok(answer.scalable_targets().first().map(|target| Bounds {
            min: count(target.min_capacity()),
            max: count(target.max_capacity()),
        }))
    }

    /// Sets the bounds of a service that is scaled already.
    ///
    /// # Errors
    /// AWS's no.
    pub async fn set_scaling_bounds(
        &self,
        cluster: &str,
        service: &str,
        bounds: Bounds,
    ) -> Result<(), Error> {
        let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
        self.scaling()
            .register_scalable_target()
            .service_namespace(ServiceNamespace::Ecs)
            .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
            .resource_id(format!("service/{cluster}/{service}"))
            .min_capacity(number(bounds.min))
            .max_capacity(number(bounds.max))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| Error::of("application-autoscaling:RegisterScalableTarget", &error))
    }
}
