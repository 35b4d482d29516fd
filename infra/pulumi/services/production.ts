// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { Alarm } from "../modules/alarm";
import { CanaryService } from "../modules/canaryService";
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
import { PercentileAlarm } from "../modules/percentileAlarm";
import { RequestScalingPolicy } from "../modules/requestScalingPolicy";
import { Route } from "../modules/route";
import { Scaling } from "../modules/scaling";
import { ScalingPolicy } from "../modules/scalingPolicy";
import { SecurityGroup } from "../modules/securityGroup";
import { ShiftingRoute } from "../modules/shiftingRoute";
import { TargetGroup } from "../modules/targetGroup";
import { Task } from "../modules/task";
import { TrafficRole } from "../modules/trafficRole";
import { WebService } from "../modules/webService";

const config = new pulumi.Config();
// The tag under which the images of all services were pushed.
const imageTag = config.require("imageTag");
const foundation = new pulumi.StackReference("organization/cais-foundation/production");
const calendarEcrImage = aws.ecr.getImageOutput({ repositoryName: "cais-production/calendar", imageTag });
const clockEcrImage = aws.ecr.getImageOutput({ repositoryName: "cais-production/clock", imageTag });
const mainRoute53Zone = aws.route53.getZoneOutput({ name: "example.com" });

const discovery = new Discovery("discovery", {
  name: "cais-production",
  description: "Services of cais-production",
});

const cluster = new Cluster("cluster", {
  name: "cais-production",
  namespaceArn: discovery.arn,
  keyArn: foundation.requireOutput("keyArn"),
  logGroup: "/ecs-exec/cais-production",
  logRetentionDays: 365,
});

const loadBalancer = new LoadBalancer("load-balancer", {
  name: "cais-production",
  vpcId: foundation.requireOutput("vpcId"),
  subnetIds: foundation.requireOutput("publicSubnetIds"),
  ports: ["80", "443"],
  logBucket: foundation.requireOutput("logBucket"),
  deletionProtection: true,
});

const certificate = new Certificate("certificate", {
  domain: "example.com",
  zoneId: mainRoute53Zone.zoneId,
});

const listener = new HttpsListener("listener", {
  loadBalancerArn: loadBalancer.arn,
  certificateArn: certificate.arn,
});

new DnsRecord("dns-record", {
  name: "example.com",
  zoneId: mainRoute53Zone.zoneId,
  target: loadBalancer.dnsName,
  targetZoneId: loadBalancer.zoneId,
});

const opsTopic = new NotificationTopic("ops-topic", {
  name: "cais-production-ops",
  keyArn: foundation.requireOutput("keyArn"),
});

new EmailSubscription("ops-email", { topicArn: opsTopic.arn, address: "ops@example.com" });

const calendarIam = new Iam("calendar-iam", {
  executionRole: "cais-production-calendar-execution",
  taskRole: "cais-production-calendar-task",
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
        Resource: "arn:aws:logs:sa-east-1:*:log-group:/ecs/cais-production/calendar:*",
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
  family: "cais-production-calendar",
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
      environment: [{ name: "CACHE_MODE", value: "required" }],
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
          "awslogs-group": "/ecs/cais-production/calendar",
          "awslogs-region": "sa-east-1",
          "awslogs-stream-prefix": "task",
          mode: "non-blocking",
          "max-buffer-size": "25m",
        },
      },
    },
  ]),
  logGroup: "/ecs/cais-production/calendar",
  logRetentionDays: 365,
  keyArn: foundation.requireOutput("keyArn"),
});

const calendarSecurityGroup = new SecurityGroup("calendar-security-group", {
  name: "cais-production-calendar",
  description: "Tasks of calendar",
  vpcId: foundation.requireOutput("vpcId"),
  egressPorts: ["443"],
});

const calendarTargetGroup = new TargetGroup("calendar-target-group", {
  name: "cais-production-calendar",
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
  name: "cais-production-calendar-cpu",
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
  name: "cais-production-calendar-errors",
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
  name: "cais-production-calendar-memory",
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
  executionRole: "cais-production-clock-execution",
  taskRole: "cais-production-clock-task",
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
        Resource: "arn:aws:logs:sa-east-1:*:log-group:/ecs/cais-production/clock:*",
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
  family: "cais-production-clock",
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
      environment: [{ name: "CACHE_MODE", value: "required" }],
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
          "awslogs-group": "/ecs/cais-production/clock",
          "awslogs-region": "sa-east-1",
          "awslogs-stream-prefix": "task",
          mode: "non-blocking",
          "max-buffer-size": "25m",
        },
      },
    },
  ]),
  logGroup: "/ecs/cais-production/clock",
  logRetentionDays: 365,
  keyArn: foundation.requireOutput("keyArn"),
});

const clockSecurityGroup = new SecurityGroup("clock-security-group", {
  name: "cais-production-clock",
  description: "Tasks of clock",
  vpcId: foundation.requireOutput("vpcId"),
  egressPorts: ["443"],
});

const clockTargetGroup = new TargetGroup("clock-target-group", {
  name: "cais-production-clock",
  vpcId: foundation.requireOutput("vpcId"),
  healthPath: "/readyz",
  interval: 5,
  timeout: 2,
  unhealthyThreshold: 2,
  deregistrationDelay: 30,
});

new Dashboard("dashboard", {
  name: "cais-production",
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

const clockAlternateTargetGroup = new TargetGroup("clock-alternate-target-group", {
  name: "cais-production-clock-alt",
  vpcId: foundation.requireOutput("vpcId"),
  healthPath: "/readyz",
  interval: 5,
  timeout: 2,
  unhealthyThreshold: 2,
  deregistrationDelay: 30,
});

const clockTrafficRole = new TrafficRole("clock-traffic-role", { name: "cais-production-clock-traffic" });

const clockRoute = new ShiftingRoute("clock-route", {
  listenerArn: listener.arn,
  priority: 20,
  hosts: ["*"],
  paths: ["/clock", "/clock/*"],
  targetGroupArn: clockTargetGroup.arn,
  alternateTargetGroupArn: clockAlternateTargetGroup.arn,
});

new Alarm("clock-cpu-alarm", {
  name: "cais-production-clock-cpu",
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
  name: "cais-production-clock-errors",
  description: "clock: requests answered with a 5xx above 1%",
  comparison: "GreaterThanThreshold",
  threshold: 1,
  period: 60,
  datapointsToAlarm: 2,
  evaluationPeriods: 3,
  treatMissingData: "notBreaching",
  topicArns: [opsTopic.arn],
  loadBalancer: loadBalancer.arnSuffix,
  targetGroup: clockTargetGroup.arnSuffix,
});

new Alarm("clock-memory-alarm", {
  name: "cais-production-clock-memory",
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

const clockSlowAlarm = new PercentileAlarm("clock-slow-alarm", {
  name: "cais-production-clock-slow",
  description: "clock: latency of the slowest hundredth above 250 ms",
  comparison: "GreaterThanThreshold",
  threshold: 0.25,
  period: 60,
  datapointsToAlarm: 3,
  evaluationPeriods: 5,
  treatMissingData: "notBreaching",
  topicArns: [opsTopic.arn],
  namespace: "AWS/ApplicationELB",
  metric: "TargetResponseTime",
  percentile: "p99",
  dimensions: { LoadBalancer: loadBalancer.arnSuffix, TargetGroup: clockTargetGroup.arnSuffix },
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
  desiredCount: 2,
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

const calendarScaling = new Scaling("calendar-scaling", {
  clusterName: cluster.name,
  serviceName: calendarServiceComponent.name,
  minCapacity: 2,
  maxCapacity: 6,
});

new ScalingPolicy("calendar-scaling-by-cpu", {
  name: "cpu",
  resourceId: calendarScaling.resourceId,
  targetValue: 60,
  outCooldown: 60,
  inCooldown: 300,
  metric: "ECSServiceAverageCPUUtilization",
});

const clockToRedis = new Connection("clock-to-redis", {
  description: "clock calls redis",
  fromSecurityGroupId: clockSecurityGroup.id,
  toSecurityGroupId: foundation.requireOutput("redisSecurityGroupId"),
  port: 6379,
});

const clockServiceComponent = new CanaryService("clock-service", {
  name: "clock",
  clusterArn: cluster.arn,
  namespaceArn: discovery.arn,
  taskDefinitionArn: clockTask.arn,
  desiredCount: 4,
  minimumHealthyPercent: 100,
  maximumPercent: 200,
  breaker: true,
  rollback: true,
  alarmsEnabled: true,
  alarmNames: [clockErrorsAlarm.name, clockSlowAlarm.name],
  onDemandWeight: 100,
  spotWeight: 0,
  executeCommand: false,
  subnetIds: foundation.requireOutput("privateSubnetIds"),
  securityGroupId: clockSecurityGroup.id,
  ports: [{ name: "port-8080", port: 8080 }],
  targetGroupArn: clockTargetGroup.arn,
  containerPort: 8080,
  gracePeriod: 10,
  alternateTargetGroupArn: clockAlternateTargetGroup.arn,
  listenerRuleArn: clockRoute.arn,
  trafficRoleArn: clockTrafficRole.arn,
  bakeMinutes: 10,
  stepPercent: 10,
  stepBakeMinutes: 5,
}, { dependsOn: [clockIam, clockRoute, loadBalancerToClock, clockToRedis] });

const clockScaling = new Scaling("clock-scaling", {
  clusterName: cluster.name,
  serviceName: clockServiceComponent.name,
  minCapacity: 2,
  maxCapacity: 12,
});

new ScalingPolicy("clock-scaling-by-cpu", {
  name: "cpu",
  resourceId: clockScaling.resourceId,
  targetValue: 60,
  outCooldown: 60,
  inCooldown: 300,
  metric: "ECSServiceAverageCPUUtilization",
});

new RequestScalingPolicy("clock-scaling-by-requests", {
  name: "requests",
  resourceId: clockScaling.resourceId,
  targetValue: 30000,
  outCooldown: 60,
  inCooldown: 300,
  resourceLabel: pulumi.interpolate`${loadBalancer.arnSuffix}/${clockTargetGroup.arnSuffix}`,
});

// A service of the cluster.
export const calendarService = calendarServiceComponent.name;
// A service of the cluster.
export const clockService = clockServiceComponent.name;
// The cluster.
export const clusterName = cluster.name;
// Where the stack answers.
export const url = "https://example.com";
