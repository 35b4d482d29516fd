// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link TargetGroup} is given. */
export interface TargetGroupArgs {
  /** Its name. */
  name: pulumi.Input<string>;
  /** The VPC. */
  vpcId: pulumi.Input<string>;
  /** What is asked for. */
  healthPath: pulumi.Input<string>;
  /** Seconds between two checks. */
  interval: pulumi.Input<number>;
  /** Seconds until a check has failed. */
  timeout: pulumi.Input<number>;
  /** Failures in a row that take a task out. */
  unhealthyThreshold: pulumi.Input<number>;
  /** Seconds that a task which leaves may finish its requests. */
  deregistrationDelay: pulumi.Input<number>;
}

/** Where a service's tasks take requests, and how the load balancer knows that they can. */
export class TargetGroup extends pulumi.ComponentResource {
  /** The target group. */
  public readonly arn: pulumi.Output<string>;
  /** Its name in CloudWatch. */
  public readonly arnSuffix: pulumi.Output<string>;

  constructor(name: string, args: TargetGroupArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:TargetGroup", name, {}, options);

    const targetGroup = new aws.lb.TargetGroup(name, {
      name: args.name,
      // ECS registers each task with the port of its own. This one is only what AWS asks for, and the same
      // for all: another one would be another target group, which AWS does not take while a rule forwards to
      // this one.
      port: 80,
      protocol: "HTTP",
      // Tasks on Fargate have addresses of their own.
      targetType: "ip",
      vpcId: args.vpcId,
      // AWS waits for 300 seconds where nobody says otherwise, at each deploy.
      deregistrationDelay: args.deregistrationDelay,
      loadBalancingAlgorithmType: "least_outstanding_requests",
      healthCheck: {
        path: args.healthPath,
        interval: args.interval,
        timeout: args.timeout,
        healthyThreshold: 2,
        unhealthyThreshold: args.unhealthyThreshold,
        matcher: "200-399",
      },
    }, { parent: this });

    this.arn = targetGroup.arn;
    this.arnSuffix = targetGroup.arnSuffix;
    this.registerOutputs({ arn: this.arn, arnSuffix: this.arnSuffix });
  }
}
