// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link GithubProvider} is given. */
export interface GithubProviderArgs {
}

/**
 * GitHub as an identity provider. An account has one: where it is there already,
 * x-cais.aws.github.provider names it.
 */
export class GithubProvider extends pulumi.ComponentResource {
  /** The provider. */
  public readonly arn: pulumi.Output<string>;

  constructor(name: string, args: GithubProviderArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:GithubProvider", name, {}, options);

    const openIdConnectProvider = new aws.iam.OpenIdConnectProvider(name, {
      url: "https://token.actions.githubusercontent.com",
      clientIdLists: ["sts.amazonaws.com"],
    }, { parent: this });

    this.arn = openIdConnectProvider.arn;
    this.registerOutputs({ arn: this.arn });
  }
}
