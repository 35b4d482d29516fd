# Rendered by `cais infra terraform` from the Compose file; changes belong there.

# What the pipeline may do: a role that plans, one that deploys and one that applies.

data "aws_caller_identity" "current" {}

# Reads everything but the values of secrets, and holds the state's lock while it plans.
resource "aws_iam_role" "plan" {
  name                 = "${var.name}-pipeline-plan"
  max_session_duration = 3600
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Action    = "sts:AssumeRoleWithWebIdentity"
        Principal = { Federated = var.provider_arn }
        Condition = {
          StringEquals = var.conditions
          StringLike   = { "token.actions.githubusercontent.com:sub" = var.plan_subjects }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "plan" {
  role       = aws_iam_role.plan.name
  policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
}

resource "aws_iam_role_policy" "plan" {
  name = "plan"
  role = aws_iam_role.plan.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["s3:PutObject", "s3:DeleteObject"]
        Resource = ["arn:aws:s3:::${var.state_bucket}/*.tflock"]
      },
      {
        Effect = "Allow"
        Action = ["kms:Decrypt"]
        Resource = [
          "arn:aws:kms:${var.region}:${data.aws_caller_identity.current.account_id}:key/*",
        ]
        Condition = {
          "ForAnyValue:StringEquals" = { "kms:ResourceAliases" = "alias/${var.name}-pulumi" }
        }
      },
    ]
  })
}

resource "aws_iam_role" "deploy" {
  name                 = "${var.name}-pipeline-deploy"
  max_session_duration = 3600
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Action    = "sts:AssumeRoleWithWebIdentity"
        Principal = { Federated = var.provider_arn }
        Condition = {
          StringEquals = var.conditions
          StringLike   = { "token.actions.githubusercontent.com:sub" = var.deploy_subjects }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy" "deploy" {
  #checkov:skip=CKV_AWS_290:registering a task definition has no resource to name
  #checkov:skip=CKV_AWS_355:registering a task definition has no resource to name
  name = "deploy"
  role = aws_iam_role.deploy.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Action = [
          "application-autoscaling:DescribeScalableTargets",
          "cloudwatch:DescribeAlarms",
          "ec2:DescribeSubnets",
          "ecs:DescribeTaskDefinition",
          "ecs:ListTaskDefinitions",
          "ecs:RegisterTaskDefinition",
          "elasticloadbalancing:DescribeTargetGroups",
          "elasticloadbalancing:DescribeTargetHealth",
          "logs:DescribeLogGroups",
          "secretsmanager:ListSecrets",
          "servicequotas:GetServiceQuota",
        ]
        Resource = "*"
      },
      {
        Effect = "Allow"
        Action = [
          "ecs:DescribeClusters",
          "ecs:DescribeServiceDeployments",
          "ecs:DescribeServiceRevisions",
          "ecs:DescribeServices",
          "ecs:DescribeTasks",
          "ecs:ListServiceDeployments",
          "ecs:ListServices",
          "ecs:ListTasks",
          "ecs:RunTask",
          "ecs:StopServiceDeployment",
          "ecs:StopTask",
          "ecs:TagResource",
          "ecs:UpdateService",
        ]
        Resource = [
          "arn:aws:ecs:${var.region}:${data.aws_caller_identity.current.account_id}:cluster/${var.name}",
          "arn:aws:ecs:${var.region}:${data.aws_caller_identity.current.account_id}:service/${var.name}/*",
          "arn:aws:ecs:${var.region}:${data.aws_caller_identity.current.account_id}:service-deployment/${var.name}/*",
          "arn:aws:ecs:${var.region}:${data.aws_caller_identity.current.account_id}:service-revision/${var.name}/*",
          "arn:aws:ecs:${var.region}:${data.aws_caller_identity.current.account_id}:task/${var.name}/*",
          "arn:aws:ecs:${var.region}:${data.aws_caller_identity.current.account_id}:container-instance/${var.name}/*",
          "arn:aws:ecs:${var.region}:${data.aws_caller_identity.current.account_id}:task-definition/${var.name}-*:*",
        ]
      },
      {
        Effect = "Allow"
        Action = ["iam:GetRole", "iam:SimulatePrincipalPolicy"]
        Resource = [
          "arn:aws:iam::${data.aws_caller_identity.current.account_id}:role/${var.name}-*",
        ]
      },
      {
        Effect = "Allow"
        Action = ["iam:PassRole"]
        Resource = [
          "arn:aws:iam::${data.aws_caller_identity.current.account_id}:role/${var.name}-*",
        ]
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
      {
        Effect = "Allow"
        Action = ["logs:FilterLogEvents", "logs:GetLogEvents", "logs:DescribeLogStreams"]
        Resource = [
          "arn:aws:logs:${var.region}:${data.aws_caller_identity.current.account_id}:log-group:/ecs/${var.name}/*",
        ]
      },
      {
        Effect = "Allow"
        Action = ["secretsmanager:DescribeSecret"]
        Resource = [
          "arn:aws:secretsmanager:${var.region}:${data.aws_caller_identity.current.account_id}:secret:*",
        ]
      },
      {
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
        Resource = ["arn:aws:s3:::${var.state_bucket}/deploy.lock"]
      },
      {
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = ["arn:aws:s3:::${var.state_bucket}"]
      },
    ]
  })
}

# Makes the infrastructure. It may make roles, but only those of this environment.
resource "aws_iam_role" "apply" {
  name                 = "${var.name}-pipeline-apply"
  max_session_duration = 3600
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Action    = "sts:AssumeRoleWithWebIdentity"
        Principal = { Federated = var.provider_arn }
        Condition = {
          StringEquals = var.conditions
          StringLike   = { "token.actions.githubusercontent.com:sub" = var.deploy_subjects }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "apply" {
  role       = aws_iam_role.apply.name
  policy_arn = "arn:aws:iam::aws:policy/PowerUserAccess"
}

resource "aws_iam_role_policy" "apply" {
  name = "apply"
  role = aws_iam_role.apply.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Action = [
          "iam:AttachRolePolicy",
          "iam:CreateRole",
          "iam:DeleteRole",
          "iam:DeleteRolePolicy",
          "iam:DetachRolePolicy",
          "iam:GetRole",
          "iam:GetRolePolicy",
          "iam:ListAttachedRolePolicies",
          "iam:ListInstanceProfilesForRole",
          "iam:ListRolePolicies",
          "iam:PassRole",
          "iam:PutRolePolicy",
          "iam:TagRole",
          "iam:UntagRole",
          "iam:UpdateAssumeRolePolicy",
          "iam:UpdateRole",
        ]
        Resource = [
          "arn:aws:iam::${data.aws_caller_identity.current.account_id}:role/${var.name}-*",
        ]
      },
    ]
  })
}
