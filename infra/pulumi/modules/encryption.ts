// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What an {@link Encryption} is given. */
export interface EncryptionArgs {
  /** What the key is for. */
  name: pulumi.Input<string>;
  /** The key's alias. */
  alias: pulumi.Input<string>;
  /** The region. */
  region: pulumi.Input<string>;
}

/** The key that logs, secrets, images and the cache of an environment are encrypted with. */
export class Encryption extends pulumi.ComponentResource {
  /** The key. */
  public readonly keyArn: pulumi.Output<string>;

  constructor(name: string, args: EncryptionArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:Encryption", name, {}, options);

    const callerIdentity = aws.getCallerIdentityOutput({}, { parent: this });

    // In a key's policy `*` is the key itself. Within the account IAM decides; log groups and alarms use the
    // key by their own names.
    const kmsKey = new aws.kms.Key(name, {
      description: args.name,
      enableKeyRotation: true,
      deletionWindowInDays: 30,
      policy: pulumi.jsonStringify({
        Version: "2012-10-17",
        Statement: [
          {
            Sid: "Account",
            Effect: "Allow",
            Principal: { AWS: pulumi.interpolate`arn:aws:iam::${callerIdentity.accountId}:root` },
            Action: "kms:*",
            Resource: "*",
          },
          {
            Sid: "Logs",
            Effect: "Allow",
            Principal: { Service: pulumi.interpolate`logs.${args.region}.amazonaws.com` },
            Action: [
              "kms:Encrypt*",
              "kms:Decrypt*",
              "kms:ReEncrypt*",
              "kms:GenerateDataKey*",
              "kms:Describe*",
            ],
            Resource: "*",
            Condition: {
              ArnLike: {
                "kms:EncryptionContext:aws:logs:arn": pulumi.interpolate`arn:aws:logs:${args.region}:${callerIdentity.accountId}:log-group:*`,
              },
            },
          },
          {
            Sid: "Alarms",
            Effect: "Allow",
            Principal: { Service: "cloudwatch.amazonaws.com" },
            Action: ["kms:Decrypt", "kms:GenerateDataKey*"],
            Resource: "*",
            Condition: { StringEquals: { "aws:SourceAccount": callerIdentity.accountId } },
          },
        ],
      }),
    }, { parent: this });

    new aws.kms.Alias(name, { name: args.alias, targetKeyId: kmsKey.keyId }, { parent: this });

    this.keyArn = kmsKey.arn;
    this.registerOutputs({ keyArn: this.keyArn });
  }
}
