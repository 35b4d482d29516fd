# Rendered by `cais infra terraform` from the Compose file; changes belong there.

# The Cloud Map namespace in which services find each other by the names of the Compose file.

resource "aws_service_discovery_http_namespace" "this" {
  name        = var.name
  description = var.description
}
