// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link Discovery} is given. */
export interface DiscoveryArgs {
  /** Its name. */
  name: pulumi.Input<string>;
  /** Whose it is. */
  description: pulumi.Input<string>;
}

/** The Cloud Map namespace in which services find each other by the names of the Compose file. */
export class Discovery extends pulumi.ComponentResource {
  /** The namespace. */
  public readonly arn: pulumi.Output<string>;

  constructor(name: string, args: DiscoveryArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:Discovery", name, {}, options);

    const httpNamespace = new aws.servicediscovery.HttpNamespace(name, {
      name: args.name,
      description: args.description,
    }, { parent: this });

    this.arn = httpNamespace.arn;
    this.registerOutputs({ arn: this.arn });
  }
}
