// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link SecurityGroup} is given. */
export interface SecurityGroupArgs {
  /** Its name. */
  name: pulumi.Input<string>;
  /** Whose it is. */
  description: pulumi.Input<string>;
  /** The VPC. */
  vpcId: pulumi.Input<string>;
  /** TCP ports that may be called anywhere. */
  egressPorts: string[];
}

/**
 * A security group that lets nothing in, and out only to the named ports of the internet. Who may talk to
 * whom is said by connections.
 */
export class SecurityGroup extends pulumi.ComponentResource {
  /** The security group. */
  public readonly id: pulumi.Output<string>;

  constructor(name: string, args: SecurityGroupArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:SecurityGroup", name, {}, options);

    const securityGroup = new aws.ec2.SecurityGroup(name, {
      name: args.name,
      description: args.description,
      vpcId: args.vpcId,
      tags: { Name: args.name },
    }, { parent: this });

    for (const key of args.egressPorts) {
      new aws.vpc.SecurityGroupEgressRule(`${name}-internet-${key}`, {
        securityGroupId: securityGroup.id,
        description: `Port ${key} anywhere`,
        cidrIpv4: "0.0.0.0/0",
        ipProtocol: "tcp",
        fromPort: Number(key),
        toPort: Number(key),
      }, { parent: this });
    }

    this.id = securityGroup.id;
    this.registerOutputs({ id: this.id });
  }
}
