// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link LoadBalancer} is given. */
export interface LoadBalancerArgs {
  /** Its name. */
  name: pulumi.Input<string>;
  /** The VPC. */
  vpcId: pulumi.Input<string>;
  /** Public subnets, in two zones at least. */
  subnetIds: pulumi.Input<pulumi.Input<string>[]>;
  /** Ports that are open to everybody. */
  ports: string[];
  /** The bucket of its access logs. */
  logBucket: pulumi.Input<string>;
  /** Does AWS refuse to delete it? */
  deletionProtection: pulumi.Input<boolean>;
}

/** The public load balancer. */
export class LoadBalancer extends pulumi.ComponentResource {
  /** The load balancer. */
  public readonly arn: pulumi.Output<string>;
  /** Its name in CloudWatch. */
  public readonly arnSuffix: pulumi.Output<string>;
  /** Its address. */
  public readonly dnsName: pulumi.Output<string>;
  /** The zone of its address, for aliases. */
  public readonly zoneId: pulumi.Output<string>;
  /** Its security group. */
  public readonly securityGroupId: pulumi.Output<string>;

  constructor(name: string, args: LoadBalancerArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:LoadBalancer", name, {}, options);

    const securityGroup = new aws.ec2.SecurityGroup(name, {
      name: pulumi.interpolate`${args.name}-load-balancer`,
      description: "The public load balancer",
      vpcId: args.vpcId,
      tags: { Name: pulumi.interpolate`${args.name}-load-balancer` },
    }, { parent: this });

    for (const key of args.ports) {
      new aws.vpc.SecurityGroupIngressRule(`${name}-public-${key}`, {
        securityGroupId: securityGroup.id,
        description: `Port ${key} from everybody`,
        cidrIpv4: "0.0.0.0/0",
        ipProtocol: "tcp",
        fromPort: Number(key),
        toPort: Number(key),
      }, { parent: this });
    }

    const loadBalancer = new aws.lb.LoadBalancer(name, {
      name: args.name,
      loadBalancerType: "application",
      subnets: args.subnetIds,
      securityGroups: [securityGroup.id],
      dropInvalidHeaderFields: true,
      enableDeletionProtection: args.deletionProtection,
      // Services keep their connections longer, so that the side that closes first is this one.
      idleTimeout: 60,
      accessLogs: { bucket: args.logBucket, enabled: true },
    }, { parent: this });

    this.arn = loadBalancer.arn;
    this.arnSuffix = loadBalancer.arnSuffix;
    this.dnsName = loadBalancer.dnsName;
    this.zoneId = loadBalancer.zoneId;
    this.securityGroupId = securityGroup.id;
    this.registerOutputs({
      arn: this.arn,
      arnSuffix: this.arnSuffix,
      dnsName: this.dnsName,
      zoneId: this.zoneId,
      securityGroupId: this.securityGroupId,
    });
  }
}
