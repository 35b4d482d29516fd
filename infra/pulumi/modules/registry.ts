// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link Registry} is given. */
export interface RegistryArgs {
  /** The repository. */
  name: pulumi.Input<string>;
  /** How many images are kept. */
  keep: pulumi.Input<number>;
  /** The KMS key. */
  keyArn: pulumi.Input<string>;
}

/** A repository of one service's images. A tag never moves: what was deployed is what was tested. */
export class Registry extends pulumi.ComponentResource {
  /** The repository. */
  public readonly arn: pulumi.Output<string>;
  /** Its name. */
  public readonly name: pulumi.Output<string>;
  /** Where images are pushed to. */
  public readonly url: pulumi.Output<string>;

  constructor(name: string, args: RegistryArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:Registry", name, {}, options);

    const repository = new aws.ecr.Repository(name, {
      name: args.name,
      imageTagMutability: "IMMUTABLE",
      imageScanningConfiguration: { scanOnPush: true },
      encryptionConfigurations: [{ encryptionType: "KMS", kmsKey: args.keyArn }],
    }, { parent: this });

    new aws.ecr.LifecyclePolicy(name, {
      repository: repository.name,
      policy: pulumi.jsonStringify({
        rules: [
          {
            rulePriority: 1,
            description: "keep the last images, so that a rollback finds its own",
            selection: { tagStatus: "any", countType: "imageCountMoreThan", countNumber: args.keep },
            action: { type: "expire" },
          },
        ],
      }),
    }, { parent: this });

    this.arn = repository.arn;
    this.name = repository.name;
    this.url = repository.repositoryUrl;
    this.registerOutputs({ arn: this.arn, name: this.name, url: this.url });
  }
}
