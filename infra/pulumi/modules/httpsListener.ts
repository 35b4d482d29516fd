// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link HttpsListener} is given. */
export interface HttpsListenerArgs {
  /** The load balancer. */
  loadBalancerArn: pulumi.Input<string>;
  /** The certificate. */
  certificateArn: pulumi.Input<string>;
}

/** HTTPS with TLS 1.3 and 1.2; HTTP leads to it. */
export class HttpsListener extends pulumi.ComponentResource {
  /** The listener that routes belong to. */
  public readonly arn: pulumi.Output<string>;

  constructor(name: string, args: HttpsListenerArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:HttpsListener", name, {}, options);

    new aws.lb.Listener(`${name}-http`, {
      loadBalancerArn: args.loadBalancerArn,
      port: 80,
      protocol: "HTTP",
      defaultActions: [
        { type: "redirect", redirect: { port: "443", protocol: "HTTPS", statusCode: "HTTP_301" } },
      ],
    }, { parent: this });

    const httpsListener = new aws.lb.Listener(`${name}-https`, {
      loadBalancerArn: args.loadBalancerArn,
      port: 443,
      protocol: "HTTPS",
      sslPolicy: "ELBSecurityPolicy-TLS13-1-2-2021-06",
      certificateArn: args.certificateArn,
      defaultActions: [
        {
          type: "fixed-response",
          fixedResponse: { contentType: "text/plain", messageBody: "not found", statusCode: "404" },
        },
      ],
    }, { parent: this });

    this.arn = httpsListener.arn;
    this.registerOutputs({ arn: this.arn });
  }
}
