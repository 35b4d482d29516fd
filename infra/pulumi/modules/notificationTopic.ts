// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link NotificationTopic} is given. */
export interface NotificationTopicArgs {
  /** Its name. */
  name: pulumi.Input<string>;
  /** The KMS key. */
  keyArn: pulumi.Input<string>;
}

/** A topic that alarms speak to. */
export class NotificationTopic extends pulumi.ComponentResource {
  /** The topic. */
  public readonly arn: pulumi.Output<string>;

  constructor(name: string, args: NotificationTopicArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:NotificationTopic", name, {}, options);

    const topic = new aws.sns.Topic(name, {
      name: args.name,
      kmsMasterKeyId: args.keyArn,
    }, { parent: this });

    this.arn = topic.arn;
    this.registerOutputs({ arn: this.arn });
  }
}
