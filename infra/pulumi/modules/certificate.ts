// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link Certificate} is given. */
export interface CertificateArgs {
  /** The name. */
  domain: pulumi.Input<string>;
  /** The Route 53 zone that the name is in. */
  zoneId: pulumi.Input<string>;
}

/** A certificate for one name, validated by a record in its zone and renewed by AWS. */
export class Certificate extends pulumi.ComponentResource {
  /** The certificate, once it is valid. */
  public readonly arn: pulumi.Output<string>;

  constructor(name: string, args: CertificateArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:Certificate", name, {}, options);

    const certificate = new aws.acm.Certificate(name, {
      domainName: args.domain,
      validationMethod: "DNS",
    }, { parent: this });

    const validationRecord = new aws.route53.Record(`${name}-validation`, {
      zoneId: args.zoneId,
      name: certificate.domainValidationOptions[0].resourceRecordName,
      type: certificate.domainValidationOptions[0].resourceRecordType,
      records: [certificate.domainValidationOptions[0].resourceRecordValue],
      ttl: 60,
      // Two environments with one name ask for the same record.
      allowOverwrite: true,
    }, { parent: this });

    const certificateValidation = new aws.acm.CertificateValidation(name, {
      certificateArn: certificate.arn,
      validationRecordFqdns: [validationRecord.fqdn],
    }, { parent: this });

    this.arn = certificateValidation.certificateArn;
    this.registerOutputs({ arn: this.arn });
  }
}
