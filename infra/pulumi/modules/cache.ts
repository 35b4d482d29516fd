// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link Cache} is given. */
export interface CacheArgs {
  /** The replication group. */
  name: pulumi.Input<string>;
  /** Whose it is. */
  description: pulumi.Input<string>;
  /** The size of a node. */
  nodeType: pulumi.Input<string>;
  /** How many nodes. */
  nodes: pulumi.Input<number>;
  /** Does a node in another zone take over? */
  multiAz: pulumi.Input<boolean>;
  /** Where the nodes are. */
  subnetIds: pulumi.Input<pulumi.Input<string>[]>;
  /** Who may connect is said by its rules. */
  securityGroupId: pulumi.Input<string>;
  /** The KMS key. */
  keyArn: pulumi.Input<string>;
}

/** A Valkey cache with TLS, which speaks Redis' protocol. */
export class Cache extends pulumi.ComponentResource {
  /** The host that takes writes. */
  public readonly endpoint: pulumi.Output<string>;

  constructor(name: string, args: CacheArgs, options?: pulumi.ComponentResourceOptions) {
    super("cais:aws:Cache", name, {}, options);

    const subnetGroup = new aws.elasticache.SubnetGroup(name, {
      name: args.name,
      description: args.description,
      subnetIds: args.subnetIds,
    }, { parent: this });

    const parameterGroup = new aws.elasticache.ParameterGroup(name, {
      name: args.name,
      description: args.description,
      family: "valkey8",
      parameters: [
        {
          // When it is full, what was not asked for longest goes.
          name: "maxmemory-policy",
          value: "allkeys-lru",
        },
      ],
    }, { parent: this });

    // The token that clients authenticate with is set from Secrets Manager after the first apply (README.md):
    // as an attribute of this resource it would stand in the state.
    const replicationGroup = new aws.elasticache.ReplicationGroup(name, {
      replicationGroupId: args.name,
      description: args.description,
      engine: "valkey",
      engineVersion: "8.0",
      nodeType: args.nodeType,
      numCacheClusters: args.nodes,
      automaticFailoverEnabled: args.multiAz,
      multiAzEnabled: args.multiAz,
      parameterGroupName: parameterGroup.name,
      subnetGroupName: subnetGroup.name,
      securityGroupIds: [args.securityGroupId],
      atRestEncryptionEnabled: true,
      kmsKeyId: args.keyArn,
      transitEncryptionEnabled: true,
      transitEncryptionMode: "required",
      autoMinorVersionUpgrade: true,
      // A cache can be computed again.
      snapshotRetentionLimit: 0,
    }, { parent: this, ignoreChanges: ["authToken", "authTokenUpdateStrategy"] });

    this.endpoint = replicationGroup.primaryEndpointAddress;
    this.registerOutputs({ endpoint: this.endpoint });
  }
}
