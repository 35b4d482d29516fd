// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link ShiftingRoute} is given. */
export interface ShiftingRouteArgs {
  /** The listener. */
  listenerArn: pulumi.Input<string>;
  /** Lower is asked first: longer paths before shorter ones. */
  priority: pulumi.Input<number>;
  /** Names that match; `*` is any. */
  hosts: pulumi.Input<pulumi.Input<string>[]>;
  /** Paths that match. */
  paths: pulumi.Input<pulumi.Input<string>[]>;
  /** Who answers at first. */
  targetGroupArn: pulumi.Input<string>;
  /** Who answers after the first deploy. */
  alternateTargetGroupArn: pulumi.Input<string>;
}

/** Requests that a service answers, from one of two target groups: ECS moves the weights at each deploy. */
export class ShiftingRoute extends pulumi.ComponentResource {
  /** The rule. */
  public readonly arn: pulumi.Output<string>;

  constructor(name: string, args: ShiftingRouteArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:ShiftingRoute", name, {}, options);

    // The weights are ECS's after the first apply.
    const listenerRule = new aws.lb.ListenerRule(name, {
      listenerArn: args.listenerArn,
      priority: args.priority,
      actions: [
        {
          type: "forward",
          forward: {
            targetGroups: [
              { arn: args.targetGroupArn, weight: 100 },
              { arn: args.alternateTargetGroupArn, weight: 0 },
            ],
          },
        },
      ],
      conditions: [{ hostHeader: { values: args.hosts } }, { pathPattern: { values: args.paths } }],
    }, { parent: this, ignoreChanges: ["action"] });

    this.arn = listenerRule.arn;
    this.registerOutputs({ arn: this.arn });
  }
}
