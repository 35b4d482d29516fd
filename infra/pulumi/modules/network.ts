// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link Network} is given. */
export interface NetworkArgs {
  /** What the VPC is called. */
  name: pulumi.Input<string>;
  /** The region. */
  region: pulumi.Input<string>;
  /** The addresses of the VPC. */
  cidrBlock: pulumi.Input<string>;
  /** Addresses of the public subnet of each zone. */
  publicSubnets: Record<string, pulumi.Input<string>>;
  /** Addresses of the private subnet of each zone. */
  privateSubnets: Record<string, pulumi.Input<string>>;
  /** Zones that have a NAT gateway. */
  natZones: string[];
  /** The zone whose NAT gateway each zone's private subnet goes out by. */
  natZoneOf: Record<string, string>;
  /** How long the flow log is kept. */
  flowLogRetentionDays: pulumi.Input<number>;
  /** The KMS key of the flow log. */
  keyArn: pulumi.Input<string>;
}

/** A VPC over several zones: public subnets for the load balancer, private ones for tasks and cache. */
export class Network extends pulumi.ComponentResource {
  /** The VPC. */
  public readonly vpcId: pulumi.Output<string>;
  /** Subnets of the load balancer. */
  public readonly publicSubnetIds: pulumi.Output<string>[];
  /** Subnets of tasks and cache. */
  public readonly privateSubnetIds: pulumi.Output<string>[];
  /** Route tables of the private subnets. */
  public readonly privateRouteTableIds: pulumi.Output<string>[];
  /** The addresses of S3, for security groups. */
  public readonly s3PrefixListId: pulumi.Output<string>;

  constructor(name: string, args: NetworkArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:Network", name, {}, options);

    const vpc = new aws.ec2.Vpc(name, {
      cidrBlock: args.cidrBlock,
      enableDnsSupport: true,
      enableDnsHostnames: true,
      tags: { Name: args.name },
    }, { parent: this });

    // The group that AWS gives to whatever names none: managed without rules, so that it lets nothing
    // through.
    new aws.ec2.DefaultSecurityGroup(name, { vpcId: vpc.id }, { parent: this });

    const flowLogGroup = new aws.cloudwatch.LogGroup(`${name}-flow`, {
      name: pulumi.interpolate`/vpc/${args.name}`,
      retentionInDays: args.flowLogRetentionDays,
      kmsKeyId: args.keyArn,
    }, { parent: this });

    const flowRole = new aws.iam.Role(`${name}-flow`, {
      name: pulumi.interpolate`${args.name}-flow-log`,
      assumeRolePolicy: pulumi.jsonStringify({
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Allow",
            Action: "sts:AssumeRole",
            Principal: { Service: "vpc-flow-logs.amazonaws.com" },
          },
        ],
      }),
    }, { parent: this });

    new aws.iam.RolePolicy(`${name}-flow`, {
      name: "write",
      role: flowRole.id,
      policy: pulumi.jsonStringify({
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Allow",
            Action: ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
            Resource: [pulumi.interpolate`${flowLogGroup.arn}:*`],
          },
        ],
      }),
    }, { parent: this });

    new aws.ec2.FlowLog(name, {
      vpcId: vpc.id,
      trafficType: "ALL",
      logDestination: flowLogGroup.arn,
      iamRoleArn: flowRole.arn,
    }, { parent: this });

    const publicSubnets: Record<string, aws.ec2.Subnet> = {};
    for (const [key, value] of Object.entries(args.publicSubnets)) {
      publicSubnets[key] = new aws.ec2.Subnet(`${name}-public-${key}`, {
        vpcId: vpc.id,
        availabilityZone: key,
        cidrBlock: value,
        tags: { Name: pulumi.interpolate`${args.name}-public-${key}` },
      }, { parent: this });
    }

    const privateSubnets: Record<string, aws.ec2.Subnet> = {};
    for (const [key, value] of Object.entries(args.privateSubnets)) {
      privateSubnets[key] = new aws.ec2.Subnet(`${name}-private-${key}`, {
        vpcId: vpc.id,
        availabilityZone: key,
        cidrBlock: value,
        tags: { Name: pulumi.interpolate`${args.name}-private-${key}` },
      }, { parent: this });
    }

    const internetGateway = new aws.ec2.InternetGateway(name, {
      vpcId: vpc.id,
      tags: { Name: args.name },
    }, { parent: this });

    const natEips: Record<string, aws.ec2.Eip> = {};
    for (const key of args.natZones) {
      natEips[key] = new aws.ec2.Eip(`${name}-nat-${key}`, {
        domain: "vpc",
        tags: { Name: pulumi.interpolate`${args.name}-nat-${key}` },
      }, { parent: this });
    }

    const natGateways: Record<string, aws.ec2.NatGateway> = {};
    for (const key of args.natZones) {
      natGateways[key] = new aws.ec2.NatGateway(`${name}-${key}`, {
        allocationId: natEips[key].id,
        subnetId: publicSubnets[key].id,
        tags: { Name: pulumi.interpolate`${args.name}-${key}` },
      }, { parent: this, dependsOn: [internetGateway] });
    }

    const publicRouteTable = new aws.ec2.RouteTable(`${name}-public`, {
      vpcId: vpc.id,
      tags: { Name: pulumi.interpolate`${args.name}-public` },
    }, { parent: this });

    new aws.ec2.Route(`${name}-public`, {
      routeTableId: publicRouteTable.id,
      destinationCidrBlock: "0.0.0.0/0",
      gatewayId: internetGateway.id,
    }, { parent: this });

    for (const key of Object.keys(args.publicSubnets)) {
      new aws.ec2.RouteTableAssociation(`${name}-public-${key}`, {
        subnetId: publicSubnets[key].id,
        routeTableId: publicRouteTable.id,
      }, { parent: this });
    }

    const privateRouteTables: Record<string, aws.ec2.RouteTable> = {};
    for (const key of Object.keys(args.privateSubnets)) {
      privateRouteTables[key] = new aws.ec2.RouteTable(`${name}-private-${key}`, {
        vpcId: vpc.id,
        tags: { Name: pulumi.interpolate`${args.name}-private-${key}` },
      }, { parent: this });
    }

    for (const [key, value] of Object.entries(args.natZoneOf)) {
      new aws.ec2.Route(`${name}-private-${key}`, {
        routeTableId: privateRouteTables[key].id,
        destinationCidrBlock: "0.0.0.0/0",
        natGatewayId: natGateways[value].id,
      }, { parent: this });
    }

    for (const key of Object.keys(args.privateSubnets)) {
      new aws.ec2.RouteTableAssociation(`${name}-private-${key}`, {
        subnetId: privateSubnets[key].id,
        routeTableId: privateRouteTables[key].id,
      }, { parent: this });
    }

    // Image layers come from S3; this way costs nothing, the way through a NAT gateway is paid by the
    // gigabyte.
    const s3VpcEndpoint = new aws.ec2.VpcEndpoint(`${name}-s3`, {
      vpcId: vpc.id,
      serviceName: pulumi.interpolate`com.amazonaws.${args.region}.s3`,
      vpcEndpointType: "Gateway",
      routeTableIds: Object.values(privateRouteTables).map((each) => each.id),
    }, { parent: this });

    this.vpcId = vpc.id;
    this.publicSubnetIds = Object.values(publicSubnets).map((each) => each.id);
    this.privateSubnetIds = Object.values(privateSubnets).map((each) => each.id);
    this.privateRouteTableIds = Object.values(privateRouteTables).map((each) => each.id);
    this.s3PrefixListId = s3VpcEndpoint.prefixListId;
    this.registerOutputs({
      vpcId: this.vpcId,
      publicSubnetIds: this.publicSubnetIds,
      privateSubnetIds: this.privateSubnetIds,
      privateRouteTableIds: this.privateRouteTableIds,
      s3PrefixListId: this.s3PrefixListId,
    });
  }
}
