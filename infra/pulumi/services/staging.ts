// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { Alarm } from "../modules/alarm";
import { Certificate } from "../modules/certificate";
import { Cluster } from "../modules/cluster";
import { Connection } from "../modules/connection";
import { Dashboard } from "../modules/dashboard";
import { Discovery } from "../modules/discovery";
import { DnsRecord } from "../modules/dnsRecord";
import { EmailSubscription } from "../modules/emailSubscription";
import { ErrorRateAlarm } from "../modules/errorRateAlarm";
import { HttpsListener } from "../modules/httpsListener";
import { Iam } from "../modules/iam";
import { LoadBalancer } from "../modules/loadBalancer";
import { NotificationTopic } from "../modules/notificationTopic";
import { Route } from "../modules/route";
import { SecurityGroup } from "../modules/securityGroup";
import { TargetGroup } from "../modules/targetGroup";
import { Task } from "../modules/task";
import { WebService } from "../modules/webService";

const config = new pulumi.Config();
// The tag under which the images of all services were pushed.
const imageTag = config.require("imageTag");
const foundation = new pulumi.StackReference("organization/cais-foundation/staging");
const calendarEcrImage = aws.ecr.getImageOutput({ repositoryName: "cais-staging/calendar", imageTag });
const clockEcrImage = aws.ecr.getImageOutput({ repositoryName: "cais-staging/clock", imageTag });
const mainRoute53Zone = aws.route53.getZoneOutput({ name: "example.com" });

const discovery = new Discovery("discovery", {
  name: "cais-staging",
  description: "Services of cais-staging",
});

const cluster = new Cluster("cluster", {
  name: "cais-staging",
  namespaceArn: discovery.arn,
  keyArn: foundation.requireOutput("keyArn"),
  logGroup: "/ecs-exec/cais-staging",
  logRetentionDays: 30,
});

const loadBalancer = new LoadBalancer("load-balancer", {
  name: "cais-staging",
  vpcId: foundation.requireOutput("vpcId"),
  subnetIds: foundation.requireOutput("publicSubnetIds"),
  ports: ["80", "443"],
  logBucket: foundation.requireOutput("logBucket"),
  deletionProtection: false,
});

const certificate = new Certificate("certificate", {
  domain: "staging.example.com",
  zoneId: mainRoute53Zone.zoneId,
});

const listener = new HttpsListener("listener", {
  loadBalancerArn: loadBalancer.arn,
  certificateArn: certificate.arn,
});

new DnsRecord("dns-record", {
  name: "staging.example.com",
  zoneId: mainRoute53Zone.zoneId,
  target: loadBalancer.dnsName,
  targetZoneId: loadBalancer.zoneId,
});

const opsTopic = new NotificationTopic("ops-topic", {
  name: "cais-staging-ops",
  keyArn: foundation.requireOutput("keyArn"),
});

new EmailSubscription("ops-email", { topicArn: opsTopic.arn, address: "ops@example.com" });

const calendarIam = new Iam("calendar-iam", {
  executionRole: "cais-staging-calendar-execution",
  taskRole: "cais-staging-calendar-task",
  region: "sa-east-1",
  executionPolicy: pulumi.jsonStringify({
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: ["ecr:GetAuthorizationToken"], Resource: "*" },
      {
        Effect: "Allow",
        Action: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        Resource: foundation.requireOutput("calendarRepositoryArn"),
      },
      {
        Effect: "Allow",
        Action: ["logs:CreateLogStream", "logs:PutLogEvents"],
        Resource: "arn:aws:logs:sa-east-1:*:log-group:/ecs/cais-staging/calendar:*",
      },
      {
        Effect: "Allow",
        Action: ["secretsmanager:GetSecretValue"],
        Resource: [foundation.requireOutput("redisCacheSecretArn")],
      },
      {
        Effect: "Allow",
        Action: ["kms:Decrypt"],
        Resource: foundation.requireOutput("keyArn"),
        Condition: { StringEquals: { "kms:ViaService": "secretsmanager.sa-east-1.amazonaws.com" } },
      },
    ],
  }),
});

const calendarTask = new Task("calendar-task", {
  family: "cais-staging-calendar",
  cpu: 256,
  memory: 512,
  architecture: "X86_64",
  executionRoleArn: calendarIam.executionRoleArn,
  taskRoleArn: calendarIam.taskRoleArn,
  containerDefinitions: pulumi.jsonStringify([
    {
      name: "calendar",
      image: calendarEcrImage.imageUri,
      essential: true,
      user: "65532:65532",
      readonlyRootFilesystem: true,
      stopTimeout: 30,
      portMappings: [{ name: "port-8080", containerPort: 8080, protocol: "tcp", appProtocol: "http" }],
      environment: [{ name: "CACHE_MODE", value: "best-effort" }],
      secrets: [
        {
          name: "CACHE_PASSWORD",
          valueFrom: pulumi.interpolate`${foundation.requireOutput("redisCacheSecretArn")}:password::`,
        },
        {
          name: "CACHE_URL",
          valueFrom: pulumi.interpolate`${foundation.requireOutput("redisCacheSecretArn")}:url::`,
        },
      ],
      linuxParameters: { initProcessEnabled: true, capabilities: { drop: ["ALL"] } },
      logConfiguration: {
        logDriver: "awslogs",
        options: {
          "awslogs-group": "/ecs/cais-staging/calendar",
          "awslogs-region": "sa-east-1",
          "awslogs-stream-prefix": "task",
          mode: "non-blocking",
          "max-buffer-size": "25m",
        },
      },
    },
  ]),
  logGroup: "/ecs/cais-staging/calendar",
  logRetentionDays: 30,
  keyArn: foundation.requireOutput("keyArn"),
});

const calendarSecurityGroup = new SecurityGroup("calendar-security-group", {
  name: "cais-staging-calendar",
  description: "Tasks of calendar",
  vpcId: foundation.requireOutput("vpcId"),
  egressPorts: ["443"],
});

const calendarTargetGroup = new TargetGroup("calendar-target-group", {
  name: "cais-staging-calendar",
  vpcId: foundation.requireOutput("vpcId"),
  healthPath: "/readyz",
  interval: 5,
  timeout: 2,
  unhealthyThreshold: 2,
  deregistrationDelay: 30,
});

const calendarRoute = new Route("calendar-route", {
  listenerArn: listener.arn,
  priority: 10,
  hosts: ["*"],
  paths: ["/calendar", "/calendar/*"],
  targetGroupArn: calendarTargetGroup.arn,
});

new Alarm("calendar-cpu-alarm", {
  name: "cais-staging-calendar-cpu",
  description: "calendar: CPU above 90%",
  comparison: "GreaterThanThreshold",
  threshold: 90,
  period: 60,
  datapointsToAlarm: 5,
  evaluationPeriods: 5,
  treatMissingData: "notBreaching",
  topicArns: [opsTopic.arn],
  namespace: "AWS/ECS",
  metric: "CPUUtilization",
  statistic: "Average",
  dimensions: { ClusterName: cluster.name, ServiceName: "calendar" },
});

const calendarErrorsAlarm = new ErrorRateAlarm("calendar-errors-alarm", {
  name: "cais-staging-calendar-errors",
  description: "calendar: requests answered with a 5xx above 5%",
  comparison: "GreaterThanThreshold",
  threshold: 5,
  period: 60,
  datapointsToAlarm: 2,
  evaluationPeriods: 3,
  treatMissingData: "notBreaching",
  topicArns: [opsTopic.arn],
  loadBalancer: loadBalancer.arnSuffix,
  targetGroup: calendarTargetGroup.arnSuffix,
});

new Alarm("calendar-memory-alarm", {
  name: "cais-staging-calendar-memory",
  description: "calendar: memory above 90%",
  comparison: "GreaterThanThreshold",
  threshold: 90,
  period: 60,
  datapointsToAlarm: 5,
  evaluationPeriods: 5,
  treatMissingData: "notBreaching",
  topicArns: [opsTopic.arn],
  namespace: "AWS/ECS",
  metric: "MemoryUtilization",
  statistic: "Average",
  dimensions: { ClusterName: cluster.name, ServiceName: "calendar" },
});

const clockIam = new Iam("clock-iam", {
  executionRole: "cais-staging-clock-execution",
  taskRole: "cais-staging-clock-task",
  region: "sa-east-1",
  executionPolicy: pulumi.jsonStringify({
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: ["ecr:GetAuthorizationToken"], Resource: "*" },
      {
        Effect: "Allow",
        Action: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        Resource: foundation.requireOutput("clockRepositoryArn"),
      },
      {
        Effect: "Allow",
        Action: ["logs:CreateLogStream", "logs:PutLogEvents"],
        Resource: "arn:aws:logs:sa-east-1:*:log-group:/ecs/cais-staging/clock:*",
      },
      {
        Effect: "Allow",
        Action: ["secretsmanager:GetSecretValue"],
        Resource: [foundation.requireOutput("redisCacheSecretArn")],
      },
      {
        Effect: "Allow",
        Action: ["kms:Decrypt"],
        Resource: foundation.requireOutput("keyArn"),
        Condition: { StringEquals: { "kms:ViaService": "secretsmanager.sa-east-1.amazonaws.com" } },
      },
    ],
  }),
});

const clockTask = new Task("clock-task", {
  family: "cais-staging-clock",
  cpu: 256,
  memory: 512,
  architecture: "X86_64",
  executionRoleArn: clockIam.executionRoleArn,
  taskRoleArn: clockIam.taskRoleArn,
  containerDefinitions: pulumi.jsonStringify([
    {
      name: "clock",
      image: clockEcrImage.imageUri,
      essential: true,
      user: "65532:65532",
      readonlyRootFilesystem: true,
      stopTimeout: 30,
      portMappings: [{ name: "port-8080", containerPort: 8080, protocol: "tcp", appProtocol: "http" }],
      environment: [{ name: "CACHE_MODE", value: "best-effort" }],
      secrets: [
        {
          name: "CACHE_PASSWORD",
          valueFrom: pulumi.interpolate`${foundation.requireOutput("redisCacheSecretArn")}:password::`,
        },
        {
          name: "CACHE_URL",
          valueFrom: pulumi.interpolate`${foundation.requireOutput("redisCacheSecretArn")}:url::`,
        },
      ],
      linuxParameters: { initProcessEnabled: true, capabilities: { drop: ["ALL"] } },
      logConfiguration: {
        logDriver: "awslogs",
        options: {
          "awslogs-group": "/ecs/cais-staging/clock",
          "awslogs-region": "sa-east-1",
          "awslogs-stream-prefix": "task",
          mode: "non-blocking",
          "max-buffer-size": "25m",
        },
      },
    },
  ]),
  logGroup: "/ecs/cais-staging/clock",
  logRetentionDays: 30,
  keyArn: foundation.requireOutput("keyArn"),
});

const clockSecurityGroup = new SecurityGroup("clock-security-group", {
  name: "cais-staging-clock",
  description: "Tasks of clock",
  vpcId: foundation.requireOutput("vpcId"),
  egressPorts: ["443"],
});

const clockTargetGroup = new TargetGroup("clock-target-group", {
  name: "cais-staging-clock",
  vpcId: foundation.requireOutput("vpcId"),
  healthPath: "/readyz",
  interval: 5,
  timeout: 2,
  unhealthyThreshold: 2,
  deregistrationDelay: 30,
});

new Dashboard("dashboard", {
  name: "cais-staging",
  body: pulumi.jsonStringify({
    widgets: [
      {
        type: "metric",
        x: 0,
        y: 0,
        width: 12,
        height: 6,
        properties: {
          region: "sa-east-1",
          title: "calendar: CPU and memory",
          period: 60,
          metrics: [
            ["AWS/ECS", "CPUUtilization", "ClusterName", cluster.name, "ServiceName", "calendar"],
            ["AWS/ECS", "MemoryUtilization", "ClusterName", cluster.name, "ServiceName", "calendar"],
          ],
        },
      },
      {
        type: "metric",
        x: 12,
        y: 0,
        width: 12,
        height: 6,
        properties: {
          region: "sa-east-1",
          title: "calendar: requests",
          period: 60,
          metrics: [
            [
              "AWS/ApplicationELB",
              "RequestCount",
              "LoadBalancer",
              loadBalancer.arnSuffix,
              "TargetGroup",
              calendarTargetGroup.arnSuffix,
              { stat: "Sum" },
            ],
            [
              "AWS/ApplicationELB",
              "HTTPCode_Target_5XX_Count",
              "LoadBalancer",
              loadBalancer.arnSuffix,
              "TargetGroup",
              calendarTargetGroup.arnSuffix,
              { stat: "Sum" },
            ],
            [
              "AWS/ApplicationELB",
              "TargetResponseTime",
              "LoadBalancer",
              loadBalancer.arnSuffix,
              "TargetGroup",
              calendarTargetGroup.arnSuffix,
              { stat: "p99", yAxis: "right" },
            ],
          ],
        },
      },
      {
        type: "metric",
        x: 0,
        y: 6,
        width: 12,
        height: 6,
        properties: {
          region: "sa-east-1",
          title: "clock: CPU and memory",
          period: 60,
          metrics: [
            ["AWS/ECS", "CPUUtilization", "ClusterName", cluster.name, "ServiceName", "clock"],
            ["AWS/ECS", "MemoryUtilization", "ClusterName", cluster.name, "ServiceName", "clock"],
          ],
        },
      },
      {
        type: "metric",
        x: 12,
        y: 6,
        width: 12,
        height: 6,
        properties: {
          region: "sa-east-1",
          title: "clock: requests",
          period: 60,
          metrics: [
            [
              "AWS/ApplicationELB",
              "RequestCount",
              "LoadBalancer",
              loadBalancer.arnSuffix,
              "TargetGroup",
              clockTargetGroup.arnSuffix,
              { stat: "Sum" },
            ],
            [
              "AWS/ApplicationELB",
              "HTTPCode_Target_5XX_Count",
              "LoadBalancer",
              loadBalancer.arnSuffix,
              "TargetGroup",
              clockTargetGroup.arnSuffix,
              { stat: "Sum" },
            ],
            [
              "AWS/ApplicationELB",
              "TargetResponseTime",
              "LoadBalancer",
              loadBalancer.arnSuffix,
              "TargetGroup",
              clockTargetGroup.arnSuffix,
              { stat: "p99", yAxis: "right" },
            ],
          ],
        },
      },
    ],
  }),
});

const clockRoute = new Route("clock-route", {
  listenerArn: listener.arn,
  priority: 20,
  hosts: ["*"],
  paths: ["/clock", "/clock/*"],
  targetGroupArn: clockTargetGroup.arn,
});

new Alarm("clock-cpu-alarm", {
  name: "cais-staging-clock-cpu",
  description: "clock: CPU above 90%",
  comparison: "GreaterThanThreshold",
  threshold: 90,
  period: 60,
  datapointsToAlarm: 5,
  evaluationPeriods: 5,
  treatMissingData: "notBreaching",
  topicArns: [opsTopic.arn],
  namespace: "AWS/ECS",
  metric: "CPUUtilization",
  statistic: "Average",
  dimensions: { ClusterName: cluster.name, ServiceName: "clock" },
});

const clockErrorsAlarm = new ErrorRateAlarm("clock-errors-alarm", {
  name: "cais-staging-clock-errors",
  description: "clock: requests answered with a 5xx above 5%",
  comparison: "GreaterThanThreshold",
  threshold: 5,
  period: 60,
  datapointsToAlarm: 2,
  evaluationPeriods: 3,
  treatMissingData: "notBreaching",
  topicArns: [opsTopic.arn],
  loadBalancer: loadBalancer.arnSuffix,
  targetGroup: clockTargetGroup.arnSuffix,
});

new Alarm("clock-memory-alarm", {
  name: "cais-staging-clock-memory",
  description: "clock: memory above 90%",
  comparison: "GreaterThanThreshold",
  threshold: 90,
  period: 60,
  datapointsToAlarm: 5,
  evaluationPeriods: 5,
  treatMissingData: "notBreaching",
  topicArns: [opsTopic.arn],
  namespace: "AWS/ECS",
  metric: "MemoryUtilization",
  statistic: "Average",
  dimensions: { ClusterName: cluster.name, ServiceName: "clock" },
});

const loadBalancerToCalendar = new Connection("load-balancer-to-calendar", {
  description: "The load balancer calls calendar",
  fromSecurityGroupId: loadBalancer.securityGroupId,
  toSecurityGroupId: calendarSecurityGroup.id,
  port: 8080,
});

const loadBalancerToClock = new Connection("load-balancer-to-clock", {
  description: "The load balancer calls clock",
  fromSecurityGroupId: loadBalancer.securityGroupId,
  toSecurityGroupId: clockSecurityGroup.id,
  port: 8080,
});

const calendarToRedis = new Connection("calendar-to-redis", {
  description: "calendar calls redis",
  fromSecurityGroupId: calendarSecurityGroup.id,
  toSecurityGroupId: foundation.requireOutput("redisSecurityGroupId"),
  port: 6379,
});

const calendarServiceComponent = new WebService("calendar-service", {
  name: "calendar",
  clusterArn: cluster.arn,
  namespaceArn: discovery.arn,
  taskDefinitionArn: calendarTask.arn,
  desiredCount: 1,
  minimumHealthyPercent: 100,
  maximumPercent: 200,
  breaker: true,
  rollback: true,
  alarmsEnabled: true,
  alarmNames: [calendarErrorsAlarm.name],
  onDemandWeight: 100,
  spotWeight: 0,
  executeCommand: false,
  subnetIds: foundation.requireOutput("privateSubnetIds"),
  securityGroupId: calendarSecurityGroup.id,
  ports: [{ name: "port-8080", port: 8080 }],
  targetGroupArn: calendarTargetGroup.arn,
  containerPort: 8080,
  gracePeriod: 10,
}, { dependsOn: [calendarIam, calendarRoute, loadBalancerToCalendar, calendarToRedis] });

const clockToRedis = new Connection("clock-to-redis", {
  description: "clock calls redis",
  fromSecurityGroupId: clockSecurityGroup.id,
  toSecurityGroupId: foundation.requireOutput("redisSecurityGroupId"),
  port: 6379,
});

const clockServiceComponent = new WebService("clock-service", {
  name: "clock",
  clusterArn: cluster.arn,
  namespaceArn: discovery.arn,
  taskDefinitionArn: clockTask.arn,
  desiredCount: 1,
  minimumHealthyPercent: 100,
  maximumPercent: 200,
  breaker: true,
  rollback: true,
  alarmsEnabled: true,
  alarmNames: [clockErrorsAlarm.name],
  onDemandWeight: 100,
  spotWeight: 0,
  executeCommand: false,
  subnetIds: foundation.requireOutput("privateSubnetIds"),
  securityGroupId: clockSecurityGroup.id,
  ports: [{ name: "port-8080", port: 8080 }],
  targetGroupArn: clockTargetGroup.arn,
  containerPort: 8080,
  gracePeriod: 10,
}, { dependsOn: [clockIam, clockRoute, loadBalancerToClock, clockToRedis] });

// A service of the cluster.
export const calendarService = calendarServiceComponent.name;
// A service of the cluster.
export const clockService = clockServiceComponent.name;
// The cluster.
export const clusterName = cluster.name;
// Where the stack answers.
export const url = "https://staging.example.com";
