// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link ScalingPolicy} is given. */
export interface ScalingPolicyArgs {
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
  /** What is measured. */
  metric: pulumi.Input<string>;
}

/** Adds and takes away tasks so that an average of CPU or memory is kept. */
export class ScalingPolicy extends pulumi.ComponentResource {
  constructor(name: string, args: ScalingPolicyArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:ScalingPolicy", name, {}, options);

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
        predefinedMetricSpecification: { predefinedMetricType: args.metric },
      },
    }, { parent: this });
    this.registerOutputs({});
  }
}
