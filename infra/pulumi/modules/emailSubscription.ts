// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What an {@link EmailSubscription} is given. */
export interface EmailSubscriptionArgs {
  /** The topic. */
  topicArn: pulumi.Input<string>;
  /** Who is told. */
  address: pulumi.Input<string>;
}

/** A mail for each alarm, once its receiver has confirmed. */
export class EmailSubscription extends pulumi.ComponentResource {
  constructor(name: string, args: EmailSubscriptionArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:EmailSubscription", name, {}, options);

    new aws.sns.TopicSubscription(name, {
      topic: args.topicArn,
      protocol: "email",
      endpoint: args.address,
    }, { parent: this });
    this.registerOutputs({});
  }
}
