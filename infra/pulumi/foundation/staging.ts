// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { Cache } from "../modules/cache";
import { Encryption } from "../modules/encryption";
import { GithubProvider } from "../modules/githubProvider";
import { ImageAccess } from "../modules/imageAccess";
import { LogBucket } from "../modules/logBucket";
import { Network } from "../modules/network";
import { PipelineAccess } from "../modules/pipelineAccess";
import { Registry } from "../modules/registry";
import { Secret } from "../modules/secret";
import { SecurityGroup } from "../modules/securityGroup";

const callerIdentity = aws.getCallerIdentityOutput({});

const encryption = new Encryption("encryption", {
  name: "cais-staging",
  alias: "alias/cais-staging",
  region: "sa-east-1",
});

// One NAT gateway for all zones: cheaper, and without its zone tasks in the others reach nothing outside.
// x-cais.aws.nat: per_zone makes one in each.
const network = new Network("network", {
  name: "cais-staging",
  region: "sa-east-1",
  cidrBlock: "10.0.0.0/16",
  publicSubnets: { "sa-east-1a": "10.0.192.0/20", "sa-east-1b": "10.0.208.0/20" },
  privateSubnets: { "sa-east-1a": "10.0.0.0/18", "sa-east-1b": "10.0.64.0/18" },
  natZones: ["sa-east-1a"],
  natZoneOf: { "sa-east-1a": "sa-east-1a", "sa-east-1b": "sa-east-1a" },
  flowLogRetentionDays: 30,
  keyArn: encryption.keyArn,
});

const logBucketComponent = new LogBucket("log-bucket", {
  name: pulumi.interpolate`cais-staging-logs-${callerIdentity.accountId}`,
  account: callerIdentity.accountId,
  retentionDays: 30,
});

const calendarRegistry = new Registry("calendar-registry", {
  name: "cais-staging/calendar",
  keep: 50,
  keyArn: encryption.keyArn,
});

const clockRegistry = new Registry("clock-registry", {
  name: "cais-staging/clock",
  keep: 50,
  keyArn: encryption.keyArn,
});

const redisCacheSecret = new Secret("redis-cache-secret", {
  name: "cais/staging/redis-cache",
  description: "Where the cache `redis` is, and its password",
  keyArn: encryption.keyArn,
});

const redisSecurityGroup = new SecurityGroup("redis-security-group", {
  name: "cais-staging-redis",
  description: "The cache redis",
  vpcId: network.vpcId,
  egressPorts: [],
});

const redis = new Cache("redis", {
  name: "cais-staging-redis",
  description: "redis of cais-staging",
  nodeType: "cache.t4g.micro",
  nodes: 1,
  multiAz: false,
  subnetIds: network.privateSubnetIds,
  securityGroupId: redisSecurityGroup.id,
  keyArn: encryption.keyArn,
});

// An account has one. Where another stack or environment has made it, name it: x-cais.aws.github.provider.
const githubProvider = new GithubProvider("github-provider", {});

const pipelineAccess = new PipelineAccess("pipeline-access", {
  name: "cais-staging",
  region: "sa-east-1",
  providerArn: githubProvider.arn,
  conditions: { "token.actions.githubusercontent.com:aud": "sts.amazonaws.com" },
  planSubjects: [
    "repo:example/cais:pull_request",
    "repo:example/cais:ref:refs/heads/main",
    "repo:example/cais:environment:staging",
  ],
  deploySubjects: ["repo:example/cais:environment:staging"],
  stateBucket: pulumi.interpolate`cais-staging-state-${callerIdentity.accountId}`,
});

const imageAccess = new ImageAccess("image-access", {
  name: "cais-staging",
  providerArn: githubProvider.arn,
  conditions: { "token.actions.githubusercontent.com:aud": "sts.amazonaws.com" },
  pushSubjects: ["repo:example/cais:ref:refs/heads/main", "repo:example/cais:environment:staging"],
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
