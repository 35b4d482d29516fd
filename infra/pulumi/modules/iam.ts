// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What an {@link Iam} is given. */
export interface IamArgs {
  /** The role by which ECS starts a task. */
  executionRole: pulumi.Input<string>;
  /** The role that the program has. */
  taskRole: pulumi.Input<string>;
  /** The region. */
  region: pulumi.Input<string>;
  /** What ECS needs to start a task: its image, its log and its secrets. */
  executionPolicy: pulumi.Input<string>;
}

/** The two roles of a task: one by which ECS starts it, one that its program has. */
export class Iam extends pulumi.ComponentResource {
  /** The role by which ECS starts a task. */
  public readonly executionRoleArn: pulumi.Output<string>;
  /** The role that the program has. */
  public readonly taskRoleArn: pulumi.Output<string>;
  /** Its name. */
  public readonly taskRoleName: pulumi.Output<string>;

  constructor(name: string, args: IamArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:Iam", name, {}, options);

    const callerIdentity = aws.getCallerIdentityOutput({}, { parent: this });

    const executionRole = new aws.iam.Role(`${name}-execution`, {
      name: args.executionRole,
      assumeRolePolicy: pulumi.jsonStringify({
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Allow",
            Action: "sts:AssumeRole",
            Principal: { Service: "ecs-tasks.amazonaws.com" },
            Condition: {
              StringEquals: { "aws:SourceAccount": callerIdentity.accountId },
              ArnLike: {
                "aws:SourceArn": pulumi.interpolate`arn:aws:ecs:${args.region}:${callerIdentity.accountId}:*`,
              },
            },
          },
        ],
      }),
    }, { parent: this });

    new aws.iam.RolePolicy(`${name}-execution`, {
      name: "start",
      role: executionRole.id,
      policy: args.executionPolicy,
    }, { parent: this });

    // It has no rights but those that a policy of its own gives it.
    const taskRole = new aws.iam.Role(`${name}-task`, {
      name: args.taskRole,
      assumeRolePolicy: pulumi.jsonStringify({
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Allow",
            Action: "sts:AssumeRole",
            Principal: { Service: "ecs-tasks.amazonaws.com" },
            Condition: {
              StringEquals: { "aws:SourceAccount": callerIdentity.accountId },
              ArnLike: {
                "aws:SourceArn": pulumi.interpolate`arn:aws:ecs:${args.region}:${callerIdentity.accountId}:*`,
              },
            },
          },
        ],
      }),
    }, { parent: this });

    this.executionRoleArn = executionRole.arn;
    this.taskRoleArn = taskRole.arn;
    this.taskRoleName = taskRole.name;
    this.registerOutputs({
      executionRoleArn: this.executionRoleArn,
      taskRoleArn: this.taskRoleArn,
      taskRoleName: this.taskRoleName,
    });
  }
}
