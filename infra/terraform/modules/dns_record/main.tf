# Rendered by `cais infra terraform` from the Compose file; changes belong there.

# A name that leads to the load balancer.

resource "aws_route53_record" "this" {
  zone_id = var.zone_id
  name    = var.name
  type    = "A"

  alias {
    name                   = var.target
    zone_id                = var.target_zone_id
    evaluate_target_health = true
  }
}
