// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What an {@link ImageAccess} is given. */
export interface ImageAccessArgs {
  /** What names begin with. */
  name: pulumi.Input<string>;
  /** GitHub's identity provider. */
  providerArn: pulumi.Input<string>;
  /** What else has to be true of the caller. */
  conditions: pulumi.Input<Record<string, pulumi.Input<string>>>;
  /** Who may push images. */
  pushSubjects: pulumi.Input<pulumi.Input<string>[]>;
  /** The role that deploys. */
  deployRole: pulumi.Input<string>;
  /** Repositories of images. */
  repositoryArns: pulumi.Input<pulumi.Input<string>[]>;
}

/**
 * What the pipeline may do with images: a role that pushes them, and the right to find them by their tag
 * for the role that deploys.
 */
export class ImageAccess extends pulumi.ComponentResource {
  /** The role that pushes images. */
  public readonly pushRoleArn: pulumi.Output<string>;

  constructor(name: string, args: ImageAccessArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:ImageAccess", name, {}, options);

    const pushRole = new aws.iam.Role(`${name}-push`, {
      name: pulumi.interpolate`${args.name}-pipeline-push`,
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
              StringLike: { "token.actions.githubusercontent.com:sub": args.pushSubjects },
            },
          },
        ],
      }),
    }, { parent: this });

    new aws.iam.RolePolicy(`${name}-push`, {
      name: "push",
      role: pushRole.id,
      policy: pulumi.jsonStringify({
        Version: "2012-10-17",
        Statement: [
          { Effect: "Allow", Action: ["ecr:GetAuthorizationToken"], Resource: "*" },
          {
            Effect: "Allow",
            Action: [
              "ecr:BatchCheckLayerAvailability",
              "ecr:BatchGetImage",
              "ecr:CompleteLayerUpload",
              "ecr:DescribeImages",
              "ecr:GetDownloadUrlForLayer",
              "ecr:InitiateLayerUpload",
              "ecr:PutImage",
              "ecr:UploadLayerPart",
            ],
            Resource: args.repositoryArns,
          },
        ],
      }),
    }, { parent: this });

    new aws.iam.RolePolicy(`${name}-deploy`, {
      name: "images",
      role: args.deployRole,
      policy: pulumi.jsonStringify({
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Allow",
            Action: ["ecr:BatchGetImage", "ecr:DescribeImages", "ecr:DescribeRepositories"],
            Resource: args.repositoryArns,
          },
        ],
      }),
    }, { parent: this });

    this.pushRoleArn = pushRole.arn;
    this.registerOutputs({ pushRoleArn: this.pushRoleArn });
  }
}
