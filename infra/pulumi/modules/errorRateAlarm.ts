// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What an {@link ErrorRateAlarm} is given. */
export interface ErrorRateAlarmArgs {
  /** The alarm. */
  name: pulumi.Input<string>;
  /** What it means. */
  description: pulumi.Input<string>;
  /** Which side of the threshold is bad. */
  comparison: pulumi.Input<string>;
  /** The threshold. */
  threshold: pulumi.Input<number>;
  /** Seconds of one datapoint. */
  period: pulumi.Input<number>;
  /** Datapoints that must be bad … */
  datapointsToAlarm: pulumi.Input<number>;
  /** … of so many last ones. */
  evaluationPeriods: pulumi.Input<number>;
  /** What a period without data counts as. */
  treatMissingData: pulumi.Input<string>;
  /** Who is told. */
  topicArns: pulumi.Input<pulumi.Input<string>[]>;
  /** The load balancer, as CloudWatch names it. */
  loadBalancer: pulumi.Input<string>;
  /** The target group, as CloudWatch names it. */
  targetGroup: pulumi.Input<string>;
}

/** An alarm on the share of requests that are answered with a 5xx. */
export class ErrorRateAlarm extends pulumi.ComponentResource {
  /** The alarm. */
  public readonly name: pulumi.Output<string>;

  constructor(name: string, args: ErrorRateAlarmArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:ErrorRateAlarm", name, {}, options);

    const metricAlarm = new aws.cloudwatch.MetricAlarm(name, {
      name: args.name,
      alarmDescription: args.description,
      comparisonOperator: args.comparison,
      threshold: args.threshold,
      datapointsToAlarm: args.datapointsToAlarm,
      evaluationPeriods: args.evaluationPeriods,
      treatMissingData: args.treatMissingData,
      alarmActions: args.topicArns,
      okActions: args.topicArns,
      metricQueries: [
        {
          id: "rate",
          // A period without a failure has no datapoint of failures.
          expression: "100 * FILL(errors, 0) / requests",
          label: "5xx, percent of requests",
          returnData: true,
        },
        {
          id: "errors",
          metric: {
            namespace: "AWS/ApplicationELB",
            metricName: "HTTPCode_Target_5XX_Count",
            period: args.period,
            stat: "Sum",
            dimensions: { LoadBalancer: args.loadBalancer, TargetGroup: args.targetGroup },
          },
        },
        {
          id: "requests",
          metric: {
            namespace: "AWS/ApplicationELB",
            metricName: "RequestCount",
            period: args.period,
            stat: "Sum",
            dimensions: { LoadBalancer: args.loadBalancer, TargetGroup: args.targetGroup },
          },
        },
      ],
    }, { parent: this });

    this.name = metricAlarm.name;
    this.registerOutputs({ name: this.name });
  }
}
