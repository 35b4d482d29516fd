// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link RequestScalingPolicy} is given. */
export interface RequestScalingPolicyArgs {
  /** The policy. */
  name: pulumi.Input<string>;
  /** What is scaled. */
  resourceId: pulumi.Input<string>;
  /** The average to keep. */
  targetValue: pulumi.Input<number>;
  /** Seconds to wait after tasks were added. */
  outCooldown: pulumi.Input<number>;
  /** Seconds to wait after tasks were taken away. */
  inCooldown: pulumi.Input<number>;
  /** The load balancer and the target group, as CloudWatch names them. */
  resourceLabel: pulumi.Input<string>;
}

/** Adds and takes away tasks so that each has so many requests a minute. */
export class RequestScalingPolicy extends pulumi.ComponentResource {
  constructor(name: string, args: RequestScalingPolicyArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:RequestScalingPolicy", name, {}, options);

    new aws.appautoscaling.Policy(name, {
      name: args.name,
      policyType: "TargetTrackingScaling",
      serviceNamespace: "ecs",
      resourceId: args.resourceId,
      scalableDimension: "ecs:service:DesiredCount",
      targetTrackingScalingPolicyConfiguration: {
        targetValue: args.targetValue,
        scaleOutCooldown: args.outCooldown,
        scaleInCooldown: args.inCooldown,
        predefinedMetricSpecification: {
          predefinedMetricType: "ALBRequestCountPerTarget",
          resourceLabel: args.resourceLabel,
        },
      },
    }, { parent: this });
    this.registerOutputs({});
  }
}
