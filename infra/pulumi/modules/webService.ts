// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link WebService} is given. */
export interface WebServiceArgs {
  /** The service. */
  name: pulumi.Input<string>;
  /** The cluster. */
  clusterArn: pulumi.Input<string>;
  /** Where services find each other. */
  namespaceArn: pulumi.Input<string>;
  /** The first revision; later ones come from deploys. */
  taskDefinitionArn: pulumi.Input<string>;
  /** Tasks at first; later scaling decides. */
  desiredCount: pulumi.Input<number>;
  /** Tasks that stay healthy in a rollout, of those desired. */
  minimumHealthyPercent: pulumi.Input<number>;
  /** Tasks there may be in a rollout, of those desired. */
  maximumPercent: pulumi.Input<number>;
  /** Does a rollout that fails end? */
  breaker: pulumi.Input<boolean>;
  /** Does it go back to the last revision then? */
  rollback: pulumi.Input<boolean>;
  /** Alarms that end a rollout. */
  alarmNames: pulumi.Input<pulumi.Input<string>[]>;
  /** Are there any? */
  alarmsEnabled: pulumi.Input<boolean>;
  /** Share of tasks that stay, beyond the first. */
  onDemandWeight: pulumi.Input<number>;
  /** Share of tasks that AWS may interrupt. */
  spotWeight: pulumi.Input<number>;
  /** May a session be opened in a task? */
  executeCommand: pulumi.Input<boolean>;
  /** Where tasks run. */
  subnetIds: pulumi.Input<pulumi.Input<string>[]>;
  /** The security group of the tasks. */
  securityGroupId: pulumi.Input<string>;
  /** Ports that other services call it on. */
  ports: { name: pulumi.Input<string>; port: pulumi.Input<number> }[];
  /** Where its tasks take requests. */
  targetGroupArn: pulumi.Input<string>;
  /** The port of the container that takes them. */
  containerPort: pulumi.Input<number>;
  /** Seconds in which failed checks of a new task do not count. */
  gracePeriod: pulumi.Input<number>;
}

/** A service behind the load balancer, which other services call by its name. */
export class WebService extends pulumi.ComponentResource {
  /** The service. */
  public readonly name: pulumi.Output<string>;

  constructor(name: string, args: WebServiceArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:WebService", name, {}, options);

    // Deploys own the revision, scaling owns the count. Neither is changed back from here.
    const service = new aws.ecs.Service(name, {
      name: args.name,
      cluster: args.clusterArn,
      taskDefinition: args.taskDefinitionArn,
      desiredCount: args.desiredCount,
      platformVersion: "LATEST",
      availabilityZoneRebalancing: "ENABLED",
      deploymentMinimumHealthyPercent: args.minimumHealthyPercent,
      deploymentMaximumPercent: args.maximumPercent,
      healthCheckGracePeriodSeconds: args.gracePeriod,
      enableExecuteCommand: args.executeCommand,
      enableEcsManagedTags: true,
      propagateTags: "SERVICE",
      // The first tasks may still wait for their secrets; `cais status` tells.
      waitForSteadyState: false,
      capacityProviderStrategies: [
        { capacityProvider: "FARGATE", base: 1, weight: args.onDemandWeight },
        { capacityProvider: "FARGATE_SPOT", weight: args.spotWeight },
      ],
      deploymentCircuitBreaker: { enable: args.breaker, rollback: args.rollback },
      alarms: { enable: args.alarmsEnabled, rollback: args.rollback, alarmNames: args.alarmNames },
      networkConfiguration: {
        subnets: args.subnetIds,
        securityGroups: [args.securityGroupId],
        assignPublicIp: false,
      },
      loadBalancers: [
        { targetGroupArn: args.targetGroupArn, containerName: args.name, containerPort: args.containerPort },
      ],
      serviceConnectConfiguration: {
        enabled: true,
        namespace: args.namespaceArn,
        services: args.ports.map((service) => ({
          portName: service.name,
          discoveryName: service.name,
          clientAlias: [{ port: service.port, dnsName: args.name }],
        })),
      },
    }, { parent: this, ignoreChanges: ["desiredCount", "taskDefinition"] });

    this.name = service.name;
    this.registerOutputs({ name: this.name });
  }
}
