// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link DnsRecord} is given. */
export interface DnsRecordArgs {
  /** The name. */
  name: pulumi.Input<string>;
  /** The Route 53 zone that the name is in. */
  zoneId: pulumi.Input<string>;
  /** The load balancer's address. */
  target: pulumi.Input<string>;
  /** The zone of that address. */
  targetZoneId: pulumi.Input<string>;
}

/** A name that leads to the load balancer. */
export class DnsRecord extends pulumi.ComponentResource {
  constructor(name: string, args: DnsRecordArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:DnsRecord", name, {}, options);

    new aws.route53.Record(name, {
      zoneId: args.zoneId,
      name: args.name,
      type: "A",
      aliases: [{ name: args.target, zoneId: args.targetZoneId, evaluateTargetHealth: true }],
    }, { parent: this });
    this.registerOutputs({});
  }
}
