# Rendered by `cais infra terraform` from the Compose file; changes belong there.

# A mail for each alarm, once its receiver has confirmed.

resource "aws_sns_topic_subscription" "this" {
  topic_arn = var.topic_arn
  protocol  = "email"
  endpoint  = var.address
}
