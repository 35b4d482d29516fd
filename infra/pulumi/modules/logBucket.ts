// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link LogBucket} is given. */
export interface LogBucketArgs {
  /** The bucket. */
  name: pulumi.Input<string>;
  /** The account whose load balancers write here. */
  account: pulumi.Input<string>;
  /** How long logs are kept. */
  retentionDays: pulumi.Input<number>;
}

/** The bucket of the load balancer's access logs. */
export class LogBucket extends pulumi.ComponentResource {
  /** The bucket. */
  public readonly name: pulumi.Output<string>;

  constructor(name: string, args: LogBucketArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:LogBucket", name, {}, options);

    const bucket = new aws.s3.Bucket(name, { bucket: args.name }, { parent: this });

    const bucketPublicAccessBlock = new aws.s3.BucketPublicAccessBlock(name, {
      bucket: bucket.id,
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    }, { parent: this });

    new aws.s3.BucketVersioning(name, {
      bucket: bucket.id,
      versioningConfiguration: { status: "Enabled" },
    }, { parent: this });

    new aws.s3.BucketServerSideEncryptionConfiguration(name, {
      bucket: bucket.id,
      rules: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }],
    }, { parent: this });

    new aws.s3.BucketLifecycleConfiguration(name, {
      bucket: bucket.id,
      rules: [
        {
          id: "expire",
          status: "Enabled",
          filter: {},
          expiration: { days: args.retentionDays },
          noncurrentVersionExpiration: { noncurrentDays: 7 },
          abortIncompleteMultipartUpload: { daysAfterInitiation: 7 },
        },
      ],
    }, { parent: this });

    new aws.s3.BucketPolicy(name, {
      bucket: bucket.id,
      policy: pulumi.jsonStringify({
        Version: "2012-10-17",
        Statement: [
          {
            Sid: "LoadBalancerWrites",
            Effect: "Allow",
            Principal: { Service: "logdelivery.elasticloadbalancing.amazonaws.com" },
            Action: "s3:PutObject",
            Resource: pulumi.interpolate`${bucket.arn}/*`,
            Condition: { StringEquals: { "aws:SourceAccount": args.account } },
          },
          {
            Sid: "TlsOnly",
            Effect: "Deny",
            Principal: "*",
            Action: "s3:*",
            Resource: [bucket.arn, pulumi.interpolate`${bucket.arn}/*`],
            Condition: { Bool: { "aws:SecureTransport": "false" } },
          },
        ],
      }),
    }, { parent: this, dependsOn: [bucketPublicAccessBlock] });

    this.name = bucket.id;
    this.registerOutputs({ name: this.name });
  }
}
