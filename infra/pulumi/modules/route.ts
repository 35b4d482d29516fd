// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link Route} is given. */
export interface RouteArgs {
  /** The listener. */
  listenerArn: pulumi.Input<string>;
  /** Lower is asked first: longer paths before shorter ones. */
  priority: pulumi.Input<number>;
  /** Names that match; `*` is any. */
  hosts: pulumi.Input<pulumi.Input<string>[]>;
  /** Paths that match. */
  paths: pulumi.Input<pulumi.Input<string>[]>;
  /** Who answers. */
  targetGroupArn: pulumi.Input<string>;
}

/** Requests that a service answers. */
export class Route extends pulumi.ComponentResource {
  /** The rule. */
  public readonly arn: pulumi.Output<string>;

  constructor(name: string, args: RouteArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:Route", name, {}, options);

    const listenerRule = new aws.lb.ListenerRule(name, {
      listenerArn: args.listenerArn,
      priority: args.priority,
      actions: [{ type: "forward", targetGroupArn: args.targetGroupArn }],
      conditions: [{ hostHeader: { values: args.hosts } }, { pathPattern: { values: args.paths } }],
    }, { parent: this });

    this.arn = listenerRule.arn;
    this.registerOutputs({ arn: this.arn });
  }
}
