// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link Scaling} is given. */
export interface ScalingArgs {
  /** The cluster. */
  clusterName: pulumi.Input<string>;
  /** The service. */
  serviceName: pulumi.Input<string>;
  /** Fewest tasks. */
  minCapacity: pulumi.Input<number>;
  /** Most tasks. */
  maxCapacity: pulumi.Input<number>;
}

/** How few and how many tasks a service may have. */
export class Scaling extends pulumi.ComponentResource {
  /** What is scaled. */
  public readonly resourceId: pulumi.Output<string>;

  constructor(name: string, args: ScalingArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:Scaling", name, {}, options);

    const target = new aws.appautoscaling.Target(name, {
      serviceNamespace: "ecs",
      resourceId: pulumi.interpolate`service/${args.clusterName}/${args.serviceName}`,
      scalableDimension: "ecs:service:DesiredCount",
      minCapacity: args.minCapacity,
      maxCapacity: args.maxCapacity,
    }, { parent: this });

    this.resourceId = target.resourceId;
    this.registerOutputs({ resourceId: this.resourceId });
  }
}
