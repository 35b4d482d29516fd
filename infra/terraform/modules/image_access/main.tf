# Rendered by `cais infra terraform` from the Compose file; changes belong there.

# What the pipeline may do with images: a role that pushes them, and the right to find them by their
# tag for the role that deploys.

resource "aws_iam_role" "push" {
  name                 = "${var.name}-pipeline-push"
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
          StringLike   = { "token.actions.githubusercontent.com:sub" = var.push_subjects }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy" "push" {
  name = "push"
  role = aws_iam_role.push.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = ["ecr:GetAuthorizationToken"], Resource = "*" },
      {
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability",
          "ecr:BatchGetImage",
          "ecr:CompleteLayerUpload",
          "ecr:DescribeImages",
          "ecr:GetDownloadUrlForLayer",
          "ecr:InitiateLayerUpload",
          "ecr:PutImage",
          "ecr:UploadLayerPart",
        ]
        Resource = var.repository_arns
      },
    ]
  })
}

resource "aws_iam_role_policy" "deploy" {
  name = "images"
  role = var.deploy_role
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["ecr:BatchGetImage", "ecr:DescribeImages", "ecr:DescribeRepositories"]
        Resource = var.repository_arns
      },
    ]
  })
}
