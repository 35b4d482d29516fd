// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link Connection} is given. */
export interface ConnectionArgs {
  /** Who calls whom. */
  description: pulumi.Input<string>;
  /** Who calls. */
  fromSecurityGroupId: pulumi.Input<string>;
  /** Who is called. */
  toSecurityGroupId: pulumi.Input<string>;
  /** The port. */
  port: pulumi.Input<number>;
}

/** One security group may call a port of another: a rule that lets out and a rule that lets in. */
export class Connection extends pulumi.ComponentResource {
  constructor(name: string, args: ConnectionArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:Connection", name, {}, options);

    new aws.vpc.SecurityGroupEgressRule(name, {
      securityGroupId: args.fromSecurityGroupId,
      referencedSecurityGroupId: args.toSecurityGroupId,
      description: args.description,
      ipProtocol: "tcp",
      fromPort: args.port,
      toPort: args.port,
    }, { parent: this });

    new aws.vpc.SecurityGroupIngressRule(name, {
      securityGroupId: args.toSecurityGroupId,
      referencedSecurityGroupId: args.fromSecurityGroupId,
      description: args.description,
      ipProtocol: "tcp",
      fromPort: args.port,
      toPort: args.port,
    }, { parent: this });
    this.registerOutputs({});
  }
}
