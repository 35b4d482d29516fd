// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link TrafficRole} is given. */
export interface TrafficRoleArgs {
  /** Its name. */
  name: pulumi.Input<string>;
}

/** The role by which ECS moves traffic between two target groups. */
export class TrafficRole extends pulumi.ComponentResource {
  /** The role. */
  public readonly arn: pulumi.Output<string>;

  constructor(name: string, args: TrafficRoleArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:TrafficRole", name, {}, options);

    const role = new aws.iam.Role(name, {
      name: args.name,
      assumeRolePolicy: pulumi.jsonStringify({
        Version: "2012-10-17",
        Statement: [
          { Effect: "Allow", Action: "sts:AssumeRole", Principal: { Service: "ecs.amazonaws.com" } },
        ],
      }),
    }, { parent: this });

    new aws.iam.RolePolicyAttachment(name, {
      role: role.name,
      policyArn: "arn:aws:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers",
    }, { parent: this });

    this.arn = role.arn;
    this.registerOutputs({ arn: this.arn });
  }
}
