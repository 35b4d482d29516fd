// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link Cluster} is given. */
export interface ClusterArgs {
  /** Its name. */
  name: pulumi.Input<string>;
  /** Where services find each other. */
  namespaceArn: pulumi.Input<string>;
  /** The KMS key of sessions in tasks. */
  keyArn: pulumi.Input<string>;
  /** What is typed in sessions in tasks. */
  logGroup: pulumi.Input<string>;
  /** How long that is kept. */
  logRetentionDays: pulumi.Input<number>;
}

/** The ECS cluster. Nothing in it costs anything by itself; tasks run on Fargate. */
export class Cluster extends pulumi.ComponentResource {
  /** The cluster. */
  public readonly arn: pulumi.Output<string>;
  /** Its name. */
  public readonly name: pulumi.Output<string>;

  constructor(name: string, args: ClusterArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:Cluster", name, {}, options);

    const sessionsLogGroup = new aws.cloudwatch.LogGroup(`${name}-sessions`, {
      name: args.logGroup,
      retentionInDays: args.logRetentionDays,
      kmsKeyId: args.keyArn,
    }, { parent: this });

    const cluster = new aws.ecs.Cluster(name, {
      name: args.name,
      settings: [{ name: "containerInsights", value: "enhanced" }],
      serviceConnectDefaults: { namespace: args.namespaceArn },
      configuration: {
        executeCommandConfiguration: {
          kmsKeyId: args.keyArn,
          logging: "OVERRIDE",
          logConfiguration: {
            cloudWatchEncryptionEnabled: true,
            cloudWatchLogGroupName: sessionsLogGroup.name,
          },
        },
      },
    }, { parent: this });

    new aws.ecs.ClusterCapacityProviders(name, {
      clusterName: cluster.name,
      capacityProviders: ["FARGATE", "FARGATE_SPOT"],
      defaultCapacityProviderStrategies: [{ capacityProvider: "FARGATE", base: 1, weight: 1 }],
    }, { parent: this });

    this.arn = cluster.arn;
    this.name = cluster.name;
    this.registerOutputs({ arn: this.arn, name: this.name });
  }
}
