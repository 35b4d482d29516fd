// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link Task} is given. */
export interface TaskArgs {
  /** The family of its revisions. */
  family: pulumi.Input<string>;
  /** CPU units, 1024 a vCPU. */
  cpu: pulumi.Input<number>;
  /** MiB of memory. */
  memory: pulumi.Input<number>;
  /** X86_64 or ARM64. */
  architecture: pulumi.Input<string>;
  /** The role by which ECS starts a task. */
  executionRoleArn: pulumi.Input<string>;
  /** The role that the program has. */
  taskRoleArn: pulumi.Input<string>;
  /** Its container. */
  containerDefinitions: pulumi.Input<string>;
  /** Where its log goes. */
  logGroup: pulumi.Input<string>;
  /** How long the log is kept. */
  logRetentionDays: pulumi.Input<number>;
  /** The KMS key of the log. */
  keyArn: pulumi.Input<string>;
}

/** What a task is made of, and where its log goes. */
export class Task extends pulumi.ComponentResource {
  /** The definition, at this revision. */
  public readonly arn: pulumi.Output<string>;
  /** The definition, at whatever revision is the newest. */
  public readonly familyArn: pulumi.Output<string>;

  constructor(name: string, args: TaskArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:Task", name, {}, options);

    new aws.cloudwatch.LogGroup(name, {
      name: args.logGroup,
      retentionInDays: args.logRetentionDays,
      kmsKeyId: args.keyArn,
    }, { parent: this });

    const taskDefinition = new aws.ecs.TaskDefinition(name, {
      family: args.family,
      networkMode: "awsvpc",
      requiresCompatibilities: ["FARGATE"],
      cpu: pulumi.interpolate`${args.cpu}`,
      memory: pulumi.interpolate`${args.memory}`,
      executionRoleArn: args.executionRoleArn,
      taskRoleArn: args.taskRoleArn,
      containerDefinitions: args.containerDefinitions,
      // A rollback needs the old ones.
      skipDestroy: true,
      runtimePlatform: { operatingSystemFamily: "LINUX", cpuArchitecture: args.architecture },
    }, { parent: this });

    this.arn = taskDefinition.arn;
    this.familyArn = taskDefinition.arnWithoutRevision;
    this.registerOutputs({ arn: this.arn, familyArn: this.familyArn });
  }
}
