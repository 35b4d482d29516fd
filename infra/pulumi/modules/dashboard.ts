// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link Dashboard} is given. */
export interface DashboardArgs {
  /** Its name. */
  name: pulumi.Input<string>;
  /** What it shows. */
  body: pulumi.Input<string>;
}

/** What there is to see of all services. */
export class Dashboard extends pulumi.ComponentResource {
  constructor(name: string, args: DashboardArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:Dashboard", name, {}, options);

    new aws.cloudwatch.Dashboard(name, {
      dashboardName: args.name,
      dashboardBody: args.body,
    }, { parent: this });
    this.registerOutputs({});
  }
}
