// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { Cache } from "../modules/cache";
import { Encryption } from "../modules/encryption";
import { ImageAccess } from "../modules/imageAccess";
import { LogBucket } from "../modules/logBucket";
import { Network } from "../modules/network";
import { PipelineAccess } from "../modules/pipelineAccess";
import { Registry } from "../modules/registry";
import { Secret } from "../modules/secret";
import { SecurityGroup } from "../modules/securityGroup";

const callerIdentity = aws.getCallerIdentityOutput({});

const encryption = new Encryption("encryption", {
  name: "cais-production",
  alias: "alias/cais-production",
  region: "sa-east-1",
});

const network = new Network("network", {
  name: "cais-production",
  region: "sa-east-1",
  cidrBlock: "10.0.0.0/16",
  publicSubnets: {
    "sa-east-1a": "10.0.192.0/20",
    "sa-east-1b": "10.0.208.0/20",
    "sa-east-1c": "10.0.224.0/20",
  },
  privateSubnets: {
    "sa-east-1a": "10.0.0.0/18",
    "sa-east-1b": "10.0.64.0/18",
    "sa-east-1c": "10.0.128.0/18",
  },
  natZones: ["sa-east-1a", "sa-east-1b", "sa-east-1c"],
  natZoneOf: { "sa-east-1a": "sa-east-1a", "sa-east-1b": "sa-east-1b", "sa-east-1c": "sa-east-1c" },
  flowLogRetentionDays: 365,
  keyArn: encryption.keyArn,
});

const logBucketComponent = new LogBucket("log-bucket", {
  name: pulumi.interpolate`cais-production-logs-${callerIdentity.accountId}`,
  account: callerIdentity.accountId,
  retentionDays: 365,
});

const calendarRegistry = new Registry("calendar-registry", {
  name: "cais-production/calendar",
  keep: 50,
  keyArn: encryption.keyArn,
});

const clockRegistry = new Registry("clock-registry", {
  name: "cais-production/clock",
  keep: 50,
  keyArn: encryption.keyArn,
});

const redisCacheSecret = new Secret("redis-cache-secret", {
  name: "cais/production/redis-cache",
  description: "Where the cache `redis` is, and its password",
  keyArn: encryption.keyArn,
});

const redisSecurityGroup = new SecurityGroup("redis-security-group", {
  name: "cais-production-redis",
  description: "The cache redis",
  vpcId: network.vpcId,
  egressPorts: [],
});

const redis = new Cache("redis", {
  name: "cais-production-redis",
  description: "redis of cais-production",
  nodeType: "cache.t4g.small",
  nodes: 2,
  multiAz: true,
  subnetIds: network.privateSubnetIds,
  securityGroupId: redisSecurityGroup.id,
  keyArn: encryption.keyArn,
});

const pipelineAccess = new PipelineAccess("pipeline-access", {
  name: "cais-production",
  region: "sa-east-1",
  providerArn: "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com",
  conditions: { "token.actions.githubusercontent.com:aud": "sts.amazonaws.com" },
  planSubjects: [
    "repo:example/cais:pull_request",
    "repo:example/cais:ref:refs/heads/main",
    "repo:example/cais:environment:production",
  ],
  deploySubjects: ["repo:example/cais:environment:production"],
  stateBucket: pulumi.interpolate`cais-production-state-${callerIdentity.accountId}`,
});

const imageAccess = new ImageAccess("image-access", {
  name: "cais-production",
  providerArn: "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com",
  conditions: { "token.actions.githubusercontent.com:aud": "sts.amazonaws.com" },
  pushSubjects: ["repo:example/cais:ref:refs/heads/main", "repo:example/cais:environment:production"],
  deployRole: pipelineAccess.deployRoleName,
  repositoryArns: [calendarRegistry.arn, clockRegistry.arn],
});

// A repository of images.
export const calendarRepositoryArn = calendarRegistry.arn;
// Where images are pushed to.
export const calendarRepositoryUrl = calendarRegistry.url;
// A repository of images.
export const clockRepositoryArn = clockRegistry.arn;
// Where images are pushed to.
export const clockRepositoryUrl = clockRegistry.url;
// The KMS key.
export const keyArn = encryption.keyArn;
// Access logs of the load balancer.
export const logBucket = logBucketComponent.name;
// A role of the pipeline.
export const pipelineApplyRoleArn = pipelineAccess.applyRoleArn;
// A role of the pipeline.
export const pipelineDeployRoleArn = pipelineAccess.deployRoleArn;
// A role of the pipeline.
export const pipelinePlanRoleArn = pipelineAccess.planRoleArn;
// A role of the pipeline.
export const pipelinePushRoleArn = imageAccess.pushRoleArn;
// Subnets of tasks and cache.
export const privateSubnetIds = network.privateSubnetIds;
// Subnets of the load balancer.
export const publicSubnetIds = network.publicSubnetIds;
// A secret.
export const redisCacheSecretArn = redisCacheSecret.arn;
// The host of the cache.
export const redisEndpoint = redis.endpoint;
// The cache's security group.
export const redisSecurityGroupId = redisSecurityGroup.id;
// The VPC.
export const vpcId = network.vpcId;
