// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link PipelineAccess} is given. */
export interface PipelineAccessArgs {
  /** What names begin with. */
  name: pulumi.Input<string>;
  /** The region. */
  region: pulumi.Input<string>;
  /** GitHub's identity provider. */
  providerArn: pulumi.Input<string>;
  /**
   * What else has to be true of the caller: repository_id, which stays when a name is given to somebody
   * else.
   */
  conditions: pulumi.Input<Record<string, pulumi.Input<string>>>;
  /** Who may plan. */
  planSubjects: pulumi.Input<pulumi.Input<string>[]>;
  /** Who may deploy and apply. */
  deploySubjects: pulumi.Input<pulumi.Input<string>[]>;
  /** The bucket of states and of the deploy lock. */
  stateBucket: pulumi.Input<string>;
}

/** What the pipeline may do: a role that plans, one that deploys and one that applies. */
export class PipelineAccess extends pulumi.ComponentResource {
  /** The role that plans. */
  public readonly planRoleArn: pulumi.Output<string>;
  /** The role that deploys. */
  public readonly deployRoleArn: pulumi.Output<string>;
  /** Its name. */
  public readonly deployRoleName: pulumi.Output<string>;
  /** The role that applies. */
  public readonly applyRoleArn: pulumi.Output<string>;

  constructor(name: string, args: PipelineAccessArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:PipelineAccess", name, {}, options);

    const callerIdentity = aws.getCallerIdentityOutput({}, { parent: this });

    // Reads everything but the values of secrets, and holds the state's lock while it plans.
    const planRole = new aws.iam.Role(`${name}-plan`, {
      name: pulumi.interpolate`${args.name}-pipeline-plan`,
      maxSessionDuration: 3600,
      assumeRolePolicy: pulumi.jsonStringify({
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Allow",
            Action: "sts:AssumeRoleWithWebIdentity",
            Principal: { Federated: args.providerArn },
            Condition: {
              StringEquals: args.conditions,
              StringLike: { "token.actions.githubusercontent.com:sub": args.planSubjects },
            },
          },
        ],
      }),
    }, { parent: this });

    new aws.iam.RolePolicyAttachment(`${name}-plan`, {
      role: planRole.name,
      policyArn: "arn:aws:iam::aws:policy/ReadOnlyAccess",
    }, { parent: this });

    new aws.iam.RolePolicy(`${name}-plan`, {
      name: "plan",
      role: planRole.id,
      policy: pulumi.jsonStringify({
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Allow",
            Action: ["s3:PutObject", "s3:DeleteObject"],
            Resource: [pulumi.interpolate`arn:aws:s3:::${args.stateBucket}/*.tflock`],
          },
          {
            Effect: "Allow",
            Action: ["kms:Decrypt"],
            Resource: [pulumi.interpolate`arn:aws:kms:${args.region}:${callerIdentity.accountId}:key/*`],
            Condition: {
              "ForAnyValue:StringEquals": {
                "kms:ResourceAliases": pulumi.interpolate`alias/${args.name}-pulumi`,
              },
            },
          },
        ],
      }),
    }, { parent: this });

    const deployRole = new aws.iam.Role(`${name}-deploy`, {
      name: pulumi.interpolate`${args.name}-pipeline-deploy`,
      maxSessionDuration: 3600,
      assumeRolePolicy: pulumi.jsonStringify({
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Allow",
            Action: "sts:AssumeRoleWithWebIdentity",
            Principal: { Federated: args.providerArn },
            Condition: {
              StringEquals: args.conditions,
              StringLike: { "token.actions.githubusercontent.com:sub": args.deploySubjects },
            },
          },
        ],
      }),
    }, { parent: this });

    new aws.iam.RolePolicy(`${name}-deploy`, {
      name: "deploy",
      role: deployRole.id,
      policy: pulumi.jsonStringify({
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Allow",
            Action: [
              "application-autoscaling:DescribeScalableTargets",
              "cloudwatch:DescribeAlarms",
              "ec2:DescribeSubnets",
              "ecs:DescribeTaskDefinition",
              "ecs:ListTaskDefinitions",
              "ecs:RegisterTaskDefinition",
              "elasticloadbalancing:DescribeTargetGroups",
              "elasticloadbalancing:DescribeTargetHealth",
              "logs:DescribeLogGroups",
              "secretsmanager:ListSecrets",
              "servicequotas:GetServiceQuota",
            ],
            Resource: "*",
          },
          {
            Effect: "Allow",
            Action: [
              "ecs:DescribeClusters",
              "ecs:DescribeServiceDeployments",
              "ecs:DescribeServiceRevisions",
              "ecs:DescribeServices",
              "ecs:DescribeTasks",
              "ecs:ListServiceDeployments",
              "ecs:ListServices",
              "ecs:ListTasks",
              "ecs:RunTask",
              "ecs:StopServiceDeployment",
              "ecs:StopTask",
              "ecs:TagResource",
              "ecs:UpdateService",
            ],
            Resource: [
              pulumi.interpolate`arn:aws:ecs:${args.region}:${callerIdentity.accountId}:cluster/${args.name}`,
              pulumi.interpolate`arn:aws:ecs:${args.region}:${callerIdentity.accountId}:service/${args.name}/*`,
              pulumi.interpolate`arn:aws:ecs:${args.region}:${callerIdentity.accountId}:service-deployment/${args.name}/*`,
              pulumi.interpolate`arn:aws:ecs:${args.region}:${callerIdentity.accountId}:service-revision/${args.name}/*`,
              pulumi.interpolate`arn:aws:ecs:${args.region}:${callerIdentity.accountId}:task/${args.name}/*`,
              pulumi.interpolate`arn:aws:ecs:${args.region}:${callerIdentity.accountId}:container-instance/${args.name}/*`,
              pulumi.interpolate`arn:aws:ecs:${args.region}:${callerIdentity.accountId}:task-definition/${args.name}-*:*`,
            ],
          },
          {
            Effect: "Allow",
            Action: ["iam:GetRole", "iam:SimulatePrincipalPolicy"],
            Resource: [pulumi.interpolate`arn:aws:iam::${callerIdentity.accountId}:role/${args.name}-*`],
          },
          {
            Effect: "Allow",
            Action: ["iam:PassRole"],
            Resource: [pulumi.interpolate`arn:aws:iam::${callerIdentity.accountId}:role/${args.name}-*`],
            Condition: { StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" } },
          },
          {
            Effect: "Allow",
            Action: ["logs:FilterLogEvents", "logs:GetLogEvents", "logs:DescribeLogStreams"],
            Resource: [
              pulumi.interpolate`arn:aws:logs:${args.region}:${callerIdentity.accountId}:log-group:/ecs/${args.name}/*`,
            ],
          },
          {
            Effect: "Allow",
            Action: ["secretsmanager:DescribeSecret"],
            Resource: [
              pulumi.interpolate`arn:aws:secretsmanager:${args.region}:${callerIdentity.accountId}:secret:*`,
            ],
          },
          {
            Effect: "Allow",
            Action: ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            Resource: [pulumi.interpolate`arn:aws:s3:::${args.stateBucket}/deploy.lock`],
          },
          {
            Effect: "Allow",
            Action: ["s3:ListBucket"],
            Resource: [pulumi.interpolate`arn:aws:s3:::${args.stateBucket}`],
          },
        ],
      }),
    }, { parent: this });

    // Makes the infrastructure. It may make roles, but only those of this environment.
    const applyRole = new aws.iam.Role(`${name}-apply`, {
      name: pulumi.interpolate`${args.name}-pipeline-apply`,
      maxSessionDuration: 3600,
      assumeRolePolicy: pulumi.jsonStringify({
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Allow",
            Action: "sts:AssumeRoleWithWebIdentity",
            Principal: { Federated: args.providerArn },
            Condition: {
              StringEquals: args.conditions,
              StringLike: { "token.actions.githubusercontent.com:sub": args.deploySubjects },
            },
          },
        ],
      }),
    }, { parent: this });

    new aws.iam.RolePolicyAttachment(`${name}-apply`, {
      role: applyRole.name,
      policyArn: "arn:aws:iam::aws:policy/PowerUserAccess",
    }, { parent: this });

    new aws.iam.RolePolicy(`${name}-apply`, {
      name: "apply",
      role: applyRole.id,
      policy: pulumi.jsonStringify({
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Allow",
            Action: [
              "iam:AttachRolePolicy",
              "iam:CreateRole",
              "iam:DeleteRole",
              "iam:DeleteRolePolicy",
              "iam:DetachRolePolicy",
              "iam:GetRole",
              "iam:GetRolePolicy",
              "iam:ListAttachedRolePolicies",
              "iam:ListInstanceProfilesForRole",
              "iam:ListRolePolicies",
              "iam:PassRole",
              "iam:PutRolePolicy",
              "iam:TagRole",
              "iam:UntagRole",
              "iam:UpdateAssumeRolePolicy",
              "iam:UpdateRole",
            ],
            Resource: [pulumi.interpolate`arn:aws:iam::${callerIdentity.accountId}:role/${args.name}-*`],
          },
        ],
      }),
    }, { parent: this });

    this.planRoleArn = planRole.arn;
    this.deployRoleArn = deployRole.arn;
    this.deployRoleName = deployRole.name;
    this.applyRoleArn = applyRole.arn;
    this.registerOutputs({
      planRoleArn: this.planRoleArn,
      deployRoleArn: this.deployRoleArn,
      deployRoleName: this.deployRoleName,
      applyRoleArn: this.applyRoleArn,
    });
  }
}
