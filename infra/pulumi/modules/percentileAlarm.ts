// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link PercentileAlarm} is given. */
export interface PercentileAlarmArgs {
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
  /** Whose metric it is. */
  namespace: pulumi.Input<string>;
  /** What is measured. */
  metric: pulumi.Input<string>;
  /** Which percentile: p99. */
  percentile: pulumi.Input<string>;
  /** Of what. */
  dimensions: pulumi.Input<Record<string, pulumi.Input<string>>>;
}

/** An alarm on a percentile of one metric. */
export class PercentileAlarm extends pulumi.ComponentResource {
  /** The alarm. */
  public readonly name: pulumi.Output<string>;

  constructor(name: string, args: PercentileAlarmArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:PercentileAlarm", name, {}, options);

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
      namespace: args.namespace,
      metricName: args.metric,
      extendedStatistic: args.percentile,
      period: args.period,
      dimensions: args.dimensions,
    }, { parent: this });

    this.name = metricAlarm.name;
    this.registerOutputs({ name: this.name });
  }
}
