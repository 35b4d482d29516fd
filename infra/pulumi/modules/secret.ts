// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link Secret} is given. */
export interface SecretArgs {
  /** Its name in Secrets Manager. */
  name: pulumi.Input<string>;
  /** What it is for. */
  description: pulumi.Input<string>;
  /** The KMS key. */
  keyArn: pulumi.Input<string>;
}

/**
 * A place for a secret. Its value is put there by `cais secret set` or the AWS CLI and never passes
 * through here, so no state has it.
 */
export class Secret extends pulumi.ComponentResource {
  /** The secret. */
  public readonly arn: pulumi.Output<string>;

  constructor(name: string, args: SecretArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:Secret", name, {}, options);

    const secret = new aws.secretsmanager.Secret(name, {
      name: args.name,
      description: args.description,
      kmsKeyId: args.keyArn,
      // A deleted secret comes back for a week.
      recoveryWindowInDays: 7,
    }, { parent: this });

    this.arn = secret.arn;
    this.registerOutputs({ arn: this.arn });
  }
}
