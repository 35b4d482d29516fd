# Rendered by `cais infra terraform` from the Compose file; changes belong there.

# What there is to see of all services.

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = var.body
}
